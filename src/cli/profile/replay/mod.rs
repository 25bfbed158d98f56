//! `profile replay`: reads stored notifications by a changed profile, and tells how the records would differ.

mod difference;
mod reread;
mod run;

pub(super) use self::run::{Arguments, run};
