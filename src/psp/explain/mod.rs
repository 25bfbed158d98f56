//! Why a notification is believed or not, and what each rule makes of it: for people who write profiles.
//!
//! What is asked here are the very functions of [`super::vouch::verify`] and [`super::meaning::normalise`]: an explanation that has a mind
//! of its own would explain something else.

mod reading;
mod verification;

pub use reading::{CallSeen, MessageSeen, Reading, RuleSeen, Stood, Verdict, fetched, reading};
pub use verification::{Expected, SignatureSeen, SignedSeen, TimeSeen, Verification, verification};
