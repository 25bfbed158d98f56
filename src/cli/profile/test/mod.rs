//! `profile test`: the explanation of a notification, with its signatures, the rules for each message, and the events.

mod messages;
mod run;
mod signatures;

pub(super) use self::run::{Arguments, run};
