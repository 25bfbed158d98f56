//! Explanations for authors of profiles: why a notification is verified or not, and what each rule makes of it.
//!
//! They call the same functions of [`crate::psp::vouch::verify`] and [`crate::psp::meaning::normalise`] as the relay: a
//! separate implementation could explain something else.

mod reading;
mod verification;

pub use self::reading::{CallSeen, MessageSeen, Reading, RuleSeen, Stood, Verdict, fetched, reading};
pub use self::verification::{Expected, SignatureSeen, SignedSeen, TimeSeen, Verification, verification};
