//! The command line: all commands with their arguments, and the run of one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use super::exit::EXIT_USAGE;
use super::output::say;
use super::{backup, check, demo, findings, profile, reload, reread, secret, serve, soak};

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
    /// Have the running relay read its configuration again. A configuration with an error is refused as a whole.
    Reload {
        /// The configuration file of the relay. Without one the embedded defaults are in force.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Read the kept notifications again by today's rules, and correct the records that differ. Transform is told of
    /// them. Meant for the time after an upgrade, also while the relay runs.
    ///
    /// A run that is broken off has corrected whole records only; the next run does the rest. Exit code 0 if nothing is
    /// left to do; 1 if records changed meanwhile and are left for the next run, or if a dry run would change something.
    Reread(reread::Arguments),
    /// Print what somebody should look at: types without a rule, parked events and refunds that contradict what is
    /// registered. The store is only read, also while the relay runs.
    ///
    /// The kept notifications of the last days are read by today's rules, so that a store of an earlier version shows its
    /// findings too.
    Findings(findings::Arguments),
    /// Change the secrets that sources share with their PSPs.
    Secret {
        #[command(subcommand)]
        command: secret::Command,
    },
    /// Copy the store into a file, also while the relay runs.
    Backup {
        /// The file to write the copy to. It must not exist yet.
        #[arg(value_name = "FILE")]
        copy: PathBuf,
        /// The configuration file of the relay. Without one the embedded defaults are in force.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show the relay's main job: a relay, a stand-in for Transform and two PSPs play a story on this machine.
    ///
    /// Exit code 0 if all counts, and the records of Transform and the PSPs, agree in the end, otherwise 1. A signal that ends it gives 129,
    /// 130 or 143; with `--keep`, a stdout that takes no output gives 74.
    Demo(demo::Arguments),
    /// Prove the relay's reliability on this machine. The real program runs under generated PSP histories, faults of
    /// Transform, kills, freezes and locks of its store. At the end, Transform must hold the truth.
    ///
    /// Exit code 0 if it does, otherwise 1 and one line for each violation. The seed reproduces the histories, the
    /// telling of each, and the script of faults. It does not reproduce the machine's scheduling. A
    /// signal that ends the soak gives 129, 130 or 143.
    Soak(soak::Arguments),
    /// See and try the PSP profiles.
    Profile {
        #[command(subcommand)]
        command: profile::Command,
        /// A folder with profiles of your own.
        #[arg(long, global = true, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Makes a write past the size limit of a file (`ulimit -f`) fail, as a write to a full disk does. Without a listener for
/// SIGXFSZ, the signal ends the process. Tokio goes on listening after the first listener is dropped.
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
            // Help and version come as errors too, but are no mistakes.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    if let Err(error) = survive_limits_of_files() {
        say(format_args!(
            "SIGXFSZ cannot be caught: {error}; a file that reaches its size limit (ulimit -f) will end this program"
        ));
    }
    match cli.command {
        Command::Serve { config } => serve::run(config.as_deref()),
        Command::Check { config } => check::run(config.as_deref()),
        Command::Reload { config } => reload::run(config.as_deref()),
        Command::Reread(arguments) => reread::run(&arguments),
        Command::Findings(arguments) => findings::run(&arguments),
        Command::Secret { command } => secret::run(command),
        Command::Backup { copy, config } => backup::run(config.as_deref(), &copy),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Profile { command, dir } => profile::run(command, dir.as_deref()),
    }
}
