//! How long a fetched key set may be kept before it is fetched anew. Pure.

use std::time::Duration;

/// The time if the issuer names none, and the longest one: a key that the issuer has withdrawn is believed no longer.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// The shortest time, whatever the issuer says.
const SHORTEST: Duration = Duration::from_secs(60);

/// The time by the `max-age` of a Cache-Control header (RFC 9111, section 5.2.2), within the bounds.
pub(super) fn freshness(cache_control: Option<&str>) -> Duration {
    let directives = cache_control.unwrap_or_default().split(',');
    let mut ages = directives.filter_map(|one| {
        let (name, value) = one.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"').parse().ok()).flatten()
    });
    ages.next().map_or(LONGEST, |age| Duration::from_secs(age).clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_may_shorten_the_time_within_bounds() {
        for (header, seconds) in [
            (None, 600),
            (Some("max-age=300"), 300),
            (Some("public, Max-Age = \"120\", must-revalidate"), 120),
            (Some("max-age=86400"), 600),
            (Some("max-age=0"), 60),
            (Some("no-store"), 600),
            (Some("max-age=soon"), 600),
            (Some("s-maxage=90"), 600),
            (Some("max-age=99999999999999999999"), 600),
        ] {
            assert_eq!(freshness(header), Duration::from_secs(seconds), "{header:?}");
        }
    }
}
