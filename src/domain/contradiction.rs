//! Contradictions: money in an event that contradicts what is known of a record.

/// The most items, and the most chargebacks, that one record keeps. There is a limit because each event writes the
/// whole record.
pub const BOOKINGS_MAX: usize = 1000;

/// The most attempts that stand which one record keeps.
pub const ATTEMPTS_MAX: usize = 1000;
/// The most other attempts that one record keeps: the newest.
pub const FALLEN_MAX: usize = 100;

/// Money that cannot be true, or more bookings than are kept. Nothing is applied; the notification becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The event names another currency than the record.
    #[error("the event is in {event}, the record in {record}")]
    Currency {
        /// The currency of the event.
        event: String,
        /// The currency of the record.
        record: String,
    },
    /// The event would add a booking with money, or an attempt that stands, to a record that has as many as are kept.
    #[error("the record would have more than {most} {what}")]
    TooMany {
        /// The number that is kept.
        most: usize,
        /// Booked items, booked chargebacks, or attempts that stand.
        what: &'static str,
    },
}
