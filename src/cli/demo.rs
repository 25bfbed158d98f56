//! `demo`: plays the relay's main job on this machine.

use std::process::ExitCode;

use super::output::say;
use super::serve;
use crate::proof::demo;

/// Exit code 0 if Transform's records agree with the PSPs' truth in the end, otherwise 1.
pub(super) fn run() -> ExitCode {
    let played = serve::runtime().and_then(|runtime| runtime.block_on(demo::play()));
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("the demo broke off: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
