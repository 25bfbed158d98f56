//! Findings: facts of records that somebody should look at. They are reported once they are on disk.

use crate::domain::ids::RecordKey;

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The refunds of a payment exceed what was paid.
    OverRefunded {
        /// The payment.
        payment: RecordKey,
    },
    /// What had been placed on the only capture of a preauthorization was taken back: another capture was registered, or this
    /// one with another id.
    TakenBack {
        /// The payment that was the only capture.
        payment: RecordKey,
        /// The number of events that were taken back.
        events: usize,
    },
}

impl Finding {
    /// Logs it.
    pub fn log(&self) {
        match self {
            Self::OverRefunded { payment } => tracing::warn!(
                %payment,
                "the refunds of a payment exceed what was paid: they are told as the PSP tells them, and the payment shows no more \
                 than was paid. Look at the payment in the PSP's own list"
            ),
            Self::TakenBack { payment, events } => tracing::warn!(
                %payment, events,
                "events of an authorization were taken back from its only capture, since any of several captures could be meant. An \
                 event that names no capture becomes a dead letter. Register each capture with its pspTransactionId"
            ),
        }
    }
}
