//! argv → command → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    transform_relay::cli::run()
}
