//! `profile`: commands that show, write and try PSP profiles. One file per command.

mod command;
mod list;
mod new;
mod replay;
mod sign;
mod test;
mod told;

pub(super) use self::command::{Command, run};
