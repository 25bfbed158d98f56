//! `soak`: proves the relay's reliability on this machine.

use std::process::ExitCode;

use clap::Args;

use super::output::say;
use super::serve;
use crate::proof::soak::{self, Asked};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The length of the run in minutes, perhaps a fraction.
    #[arg(long, value_name = "N", default_value = "5", value_parser = soak::minutes)]
    minutes: f64,
    /// The seed of the histories and faults. Default: random.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Keep the temporary folder with the store and the log. After a violation it is always kept.
    #[arg(long)]
    keep: bool,
    /// Let strangers attack the relay instead of killing it. These clients read nothing, hold bodies, smuggle, forge,
    /// replay, make up hints and send bombs. The relay's memory and processor time are watched.
    #[arg(long)]
    hostile: bool,
}

/// Exit code 0 if Transform holds the truth in the end, otherwise 1. It is 129, 130 or 143 after SIGHUP, SIGINT or SIGTERM.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { minutes, keep, hostile, .. } = *arguments;
    // The seed is short enough to be typed again.
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(1..1_000_000));
    let asked = Asked { minutes, seed, keep, hostile };
    match serve::runtime().and_then(|runtime| runtime.block_on(soak::soak(asked))) {
        Ok(ended) => {
            ended.remark("soak").into_iter().for_each(say);
            ExitCode::from(ended.code())
        }
        Err(error) => {
            say(format_args!("the soak with seed {seed} broke off: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
