//! `profile replay`: reads stored notifications again by a changed profile, and says how the records would differ.

mod reread;
mod run;

pub(super) use self::run::{Arguments, run};
