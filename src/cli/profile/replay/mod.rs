//! `profile replay`: what records would be, had their notifications been read by this profile.

mod difference;
mod reread;
mod run;

pub(super) use self::run::{Arguments, run};
