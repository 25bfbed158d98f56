//! Why a notification is believed or not, and what each rule makes of it: for people who write profiles.
//!
//! What is asked here are the very functions of [`crate::psp::vouch::verify`] and [`crate::psp::meaning::normalise`]: an explanation that has a mind
//! of its own would explain something else.

mod reading;
mod verification;

pub use self::reading::{CallSeen, MessageSeen, Reading, RuleSeen, Stood, Verdict, fetched, reading};
pub use self::verification::{Expected, SignatureSeen, SignedSeen, TimeSeen, Verification, verification};
