//! The command line: which commands there are, and the one that is run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use super::exit::EXIT_USAGE;
use super::output::say;
use super::{backup, check, demo, profile, reload, secret, serve, soak};

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
    /// Have the running relay take up its configuration anew; one with an error is refused whole.
    Reload {
        /// The configuration file of the relay. Without one the embedded defaults are in force.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Change the secrets that sources share with their PSPs.
    Secret {
        #[command(subcommand)]
        command: secret::Command,
    },
    /// Copy the store into a file, also while the relay runs.
    Backup {
        /// Where the copy goes; nothing may be there yet.
        #[arg(value_name = "FILE")]
        copy: PathBuf,
        /// The configuration file of the relay. Without one the embedded defaults are in force.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show the main job: a relay, a stand-in for Transform and two PSPs play a story on this machine.
    Demo,
    /// Prove the reliability on this machine: the real program under generated PSP histories, faults of Transform,
    /// kills, freezes and locks of its store; at the end Transform must hold the truth.
    ///
    /// Exit code 0 if it does; otherwise 1, and each violation on a line. The seed reproduces the histories, how each
    /// is told and the script of faults, not how the machine schedules them.
    Soak {
        /// For how long, in minutes; may be a fraction.
        #[arg(long, value_name = "N", default_value = "5", value_parser = soak::minutes)]
        minutes: f64,
        /// What the histories and faults are made from; random if absent.
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
        /// Keep the temporary folder with the store and the log, as is done when something is violated.
        #[arg(long)]
        keep: bool,
        /// Have strangers attack the relay, instead of killing it: clients that read nothing, hold bodies, smuggle, forge,
        /// replay, make up hints and send bombs. Its memory and processor time are watched.
        #[arg(long)]
        hostile: bool,
    },
    /// See and try the PSP profiles.
    Profile {
        #[command(subcommand)]
        command: profile::Command,
        /// A folder with profiles of your own.
        #[arg(long, global = true, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Has a write fail as on a full disk where a file would get longer than it may (ulimit -f). Unless somebody listens for
/// the signal, it ends the process. Who listens once does so for the life of the process.
fn survive_limits_of_files() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
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
    if let Err(error) = survive_limits_of_files() {
        say(format_args!("a file that reaches its limit (ulimit -f) will end this program: {error}"));
    }
    match cli.command {
        Command::Serve { config } => serve::run(config.as_deref()),
        Command::Check { config } => check::run(config.as_deref()),
        Command::Reload { config } => reload::run(config.as_deref()),
        Command::Secret { command } => secret::run(command),
        Command::Backup { copy, config } => backup::run(config.as_deref(), &copy),
        Command::Demo => demo::run(),
        Command::Soak { minutes, seed, keep, hostile } => soak::run(soak::Asked { minutes, seed, keep, hostile }),
        Command::Profile { command, dir } => profile::run(command, dir.as_deref()),
    }
}
