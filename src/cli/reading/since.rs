//! The times of `--since`.

use jiff::{SignedDuration, Timestamp};

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
    let before = |unit_s: i64| -> Option<Timestamp> {
        let number: i64 = text.get(..text.len().checked_sub(1)?)?.parse().ok().filter(|number| *number >= 0)?;
        now.checked_sub(SignedDuration::from_secs(number.checked_mul(unit_s)?)).ok()
    };
    let unit_s = match text.as_bytes().last() {
        Some(b'd') => 24 * 60 * 60,
        Some(b'h') => 60 * 60,
        Some(b'm') => 60,
        _ => return Err(wrong()),
    };
    before(unit_s).ok_or_else(wrong)
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
        ] {
            assert_eq!(since(text, now), Ok(at.parse().unwrap()), "{text}");
        }
        for bad in ["", "d", "7", "-7d", "7w", "ä", "99999999999999999999d", "9000000000000000h"] {
            assert!(since(bad, now).is_err(), "{bad}");
        }
    }
}
