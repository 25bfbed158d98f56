//! `profile test`: explains a notification: its signatures, the rule for each message, and the events.

mod messages;
mod run;
mod signatures;

pub(super) use self::run::{Arguments, run};
