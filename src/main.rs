//! The program: from the arguments through a command to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    transform_relay::cli::run()
}
