//! `profile new`: a commented skeleton of a profile, from a notification that the PSP sent.

mod guess;
mod run;
mod sample;
mod write;

pub(super) use self::run::{Arguments, run};
