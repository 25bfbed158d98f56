//! The payment stack's answer to Transform: its stamp, and what it does to the record's versions.
//!
//! The stack answers Transform's POST itself, and stamps that answer by its own clock. Transform ignores what is older than its
//! copy. So the relay's versions have to be later than the stamp, whatever the two clocks say.

use jiff::{SignedDuration, Timestamp};

use super::record::Record;

/// How far the stamp may lie ahead of the relay's clock. All later versions are later than it, so a wrong one would last.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(1);

/// Checks the stamp of an answer.
///
/// # Errors
/// The reason: the stamp lies too far ahead of `now`, or before 1970.
pub(super) fn check(answered_at: Timestamp, now: Timestamp) -> Result<(), String> {
    let latest = now.saturating_add(AHEAD_MAX).unwrap_or(Timestamp::MAX);
    if answered_at > latest {
        return Err(format!("{answered_at} is more than an hour ahead of the relay's clock ({now})"));
    }
    if answered_at < Timestamp::UNIX_EPOCH {
        return Err(format!("is {answered_at}, but must not be before 1970"));
    }
    Ok(())
}

/// The first time that a version may have which Transform is to read after the answer: whole microseconds, as the store keeps.
pub(super) fn first_after(answered_at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(answered_at.as_microsecond().saturating_add(1)).unwrap_or(Timestamp::MAX)
}

/// Makes the version of an amended record later than the answer. Returns whether Transform may have missed news because of the
/// answer: the record before the amendment, `old`, had news of events that was not later.
pub(super) fn overtake(record: &mut Record, old: &Record, answered_at: Timestamp) -> bool {
    let news_at = old.registered.silent_since.unwrap_or(old.last_updated);
    let missed = news_at <= answered_at && !old.is_without_events();
    if missed {
        record.bump(first_after(answered_at));
    } else if record.last_updated <= answered_at {
        record.bump_in_silence(first_after(answered_at));
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_version_is_the_next_microsecond() {
        for (answered, first) in [
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000001Z"),
            ("2026-03-01T12:00:00.1234567Z", "2026-03-01T12:00:00.123457Z"),
        ] {
            assert_eq!(first_after(at(answered)), at(first));
        }
    }

    #[test]
    fn a_stamp_may_lie_an_hour_ahead_and_no_further() {
        let now = at("2026-03-01T12:00:00Z");
        assert_eq!(check(at("2026-03-01T13:00:00Z"), now), Ok(()));
        let reason = check(at("2026-03-01T13:00:00.0000001Z"), now).unwrap_err();
        assert!(reason.contains("2026-03-01T13:00:00.0000001Z"), "{reason}");
        assert!(check(at("1969-12-31T23:59:59Z"), now).is_err());
    }
}
