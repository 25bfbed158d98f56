//! `profile test`: why a notification is believed or not, and what is made of it.

mod messages;
mod run;
mod signatures;

pub(super) use self::run::{Arguments, run};
