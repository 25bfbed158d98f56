//! Contradictions: money in an event that contradicts what is known of a record.

/// The most items, and the most chargebacks, that one record keeps. There is a limit because each event writes the
/// whole record.
pub const BOOKINGS_MAX: usize = 1000;

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
    /// The event would add a booking with money to a record that has [`BOOKINGS_MAX`] of them.
    #[error("the record would have more than {BOOKINGS_MAX} booked {what}")]
    TooMany {
        /// Items, or chargebacks.
        what: &'static str,
    },
    /// A payment that is paid in full would have given back more than it received.
    #[error("refunds would reach {refunded}, but only {paid} was paid")]
    OverRefunded {
        /// The sum that the refunds would reach.
        refunded: rust_decimal::Decimal,
        /// The amount that was paid.
        paid: rust_decimal::Decimal,
    },
}
