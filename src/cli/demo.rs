//! `demo`: plays the relay's main job on this machine.

use std::process::ExitCode;

use clap::Args;

use super::exit::EXIT_IO;
use super::output::say;
use super::serve;
use crate::proof::{Verdict, demo};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Keep the temporary folder with the store, the configuration and the log. It is always kept if something went wrong.
    #[arg(long)]
    keep: bool,
}

/// Exit code 0 if the counts agree, and Transform's records agree with the PSPs' truth, otherwise 1. It is 74 if stdout
/// does not take the place of a kept folder, and 129, 130 or 143 after SIGHUP, SIGINT or SIGTERM.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let played = serve::runtime().and_then(|runtime| runtime.block_on(demo::play(arguments.keep)));
    match played {
        Ok(ended) => {
            ended.remark("demo").into_iter().for_each(say);
            // The place of the folder is an answer. The story alone is none, as with a backup.
            let unanswered = ended.untold.is_some() && ended.kept.is_some() && ended.verdict == Verdict::Good;
            ExitCode::from(if unanswered { EXIT_IO } else { ended.code() })
        }
        Err(error) => {
            say(format_args!("the demo broke off: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
