//! The times of `--since`.

use jiff::{SignedDuration, Timestamp};

use crate::domain::span::span;

/// Reads a time, or a span before now.
///
/// # Errors
/// It is neither.
pub(in crate::cli) fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong =
        || format!("--since {text:?} must be a time such as 2026-01-31T12:00:00Z, or a span such as 7d, 12h or 30m");
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let before = || now.checked_sub(SignedDuration::try_from(span(text)?).ok()?).ok();
    before().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_span() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00Z"),
            ("7d", "2026-01-24T12:00:00Z"),
            ("12h", "2026-01-31T00:00:00Z"),
            ("30m", "2026-01-31T11:30:00Z"),
            ("1d 12h", "2026-01-30T00:00:00Z"),
        ] {
            assert_eq!(since(text, now), Ok(at.parse().unwrap()), "{text}");
        }
        for bad in ["", "d", "7", "-7d", "7mo", "ä", "99999999999999999999d", "9000000000000000h"] {
            assert!(since(bad, now).is_err(), "{bad}");
        }
    }
}
