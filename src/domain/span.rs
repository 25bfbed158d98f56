//! Spans of time as people write them: `500ms`, `10s`, `72h`, `7d`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// Reads a span that is not negative. A day has 24 hours.
#[must_use]
pub fn span(text: &str) -> Option<Duration> {
    let written: Span = text.parse().ok()?;
    written.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_unit_up_to_the_day() {
        for (text, seconds) in [("500ms", 0.5), ("10s", 10.0), ("1m 30s", 90.0), ("72h", 259_200.0), ("7d", 604_800.0)]
        {
            assert_eq!(span(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        assert_eq!((span("1d 12h"), span("0s")), (span("36h"), Some(Duration::ZERO)));
        for wrong in ["", "7", "d", "-7d", "1mo", "1y", "soon", "99999999999999999999d"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
