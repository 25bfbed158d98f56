//! The commands, one file each.

mod check;
mod demo;
mod profile;
mod serve;
mod soak;
mod stand_in;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code for a wrong configuration or wrong arguments (EX_USAGE).
const EXIT_USAGE: u8 = 64;

/// The integrator-side relay between payment service providers and Frisbii Transform.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay.
    Serve {
        /// The configuration file. Without one the embedded defaults are in force.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check the configuration and the profiles, and print what is in force.
    Check {
        /// The configuration file. Without one the embedded defaults are in force.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show the main job: a relay, a stand-in for Transform and two PSPs play a story on this machine.
    Demo,
    /// See and try the PSP profiles.
    Profile {
        #[command(subcommand)]
        command: profile::Command,
        /// A folder with profiles of your own.
        #[arg(long, global = true, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Runs the command that the arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    match cli.command {
        Command::Serve { config } => serve::run(config.as_deref()),
        Command::Check { config } => check::run(config.as_deref()),
        Command::Demo => demo::run(),
        Command::Profile { command, dir } => profile::run(command, dir.as_deref()),
    }
}
