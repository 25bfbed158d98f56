//! The command line: all commands with their arguments, and the run of one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use super::exit::EXIT_USAGE;
use super::output::say;
use super::variable::CONFIG_VARIABLE;
use super::{
    backup, bench, check, demo, findings, import, notify, profile, reload, repair, reread, restore, secret, serve,
    soak, stand_in, tell,
};

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
        #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
        config: Option<PathBuf>,
    },
    /// Check the configuration and the profiles, and print what is in force.
    Check {
        /// The configuration file. Without one the embedded defaults are in force.
        #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
        config: Option<PathBuf>,
    },
    /// Have the running relay read its configuration again. A configuration with an error is refused as a whole.
    Reload {
        /// The configuration file of the relay. Without one the embedded defaults are in force.
        #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
        config: Option<PathBuf>,
    },
    /// Read the kept notifications again by today's rules, and correct the records that differ. Transform is told of
    /// them. Meant for the time after an upgrade, also while the relay runs.
    ///
    /// A run that is broken off has corrected whole records only; the next run does the rest. Exit code 0 if nothing is left to do.
    /// Exit code 1 if records changed meanwhile and are left for the next run, or if a dry run would change something.
    Reread(reread::Arguments),
    /// Tell Transform again: of records by their ids, or of what was given up. The running relay is asked for it.
    ///
    /// Exit code 64 if an id is not registered; nothing is changed then. Exit code 69 if no relay could be asked.
    Tell(tell::Arguments),
    /// Repair a record that cannot be read, since the disk has damaged its row. It stands again as it was registered, with what its kept
    /// notifications told, and Transform is told.
    ///
    /// Exit code 0 if all of it is there again. Exit code 1 if not all of its notifications can be read again; nothing is changed then
    /// without --partly.
    Repair(repair::Arguments),
    /// Import transactions that existed before the relay, with the money that has moved. Transform is not told of them.
    ///
    /// FILE has one JSON object a line (NDJSON); docs/MIGRATION.md has the names. The running relay is asked for it; without one the
    /// store is opened. A run that is broken off can be repeated: a line that was imported changes nothing. Each line that is refused is
    /// printed with its number. Exit code 1 if there is any.
    Import(import::Arguments),
    /// Print what somebody should look at: types without a rule, parked events and refunds that contradict what is
    /// registered. The store is only read, also while the relay runs.
    ///
    /// The kept notifications of the last days are read by today's rules, so that a store of an earlier version shows its
    /// findings too.
    Findings(findings::Arguments),
    /// Post a notification to the relay as the PSP of a source would: signed with the source's secret, and with the credentials and
    /// headers that the source demands.
    ///
    /// Prints the status and the body of the answer. Exit code 0 if the status is 2xx, 1 if it is another one, 69 if there is no
    /// answer.
    Notify(notify::Arguments),
    /// Play Transform for a trial of a relay: take its webhooks, read the records, and print a line for each webhook with what
    /// changed since the last read.
    ///
    /// Runs until SIGINT or SIGTERM, and prints the counts then.
    StandIn(stand_in::Arguments),
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
        #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
        config: Option<PathBuf>,
    },
    /// Put a copy of the store into its place, while no relay runs. The copy is checked, the store that was there is moved aside,
    /// and the output says since when the PSPs have to send again.
    Restore(restore::Arguments),
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
    /// Measure the relay on this machine, beside a handler that does nothing and a service with one transaction for each request.
    ///
    /// The figures are ratios of rounds that stand beside each other, with the cost of an fsync on this disk. The stores lie in the folder for
    /// temporary files (TMPDIR). Exit code 0 if all counts agree, otherwise 1: no figure is a reason. A signal that ends the bench gives
    /// 129, 130 or 143.
    Bench(bench::Arguments),
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
        Command::Tell(arguments) => tell::run(&arguments),
        Command::Repair(arguments) => repair::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Findings(arguments) => findings::run(&arguments),
        Command::Notify(arguments) => notify::run(&arguments),
        Command::StandIn(arguments) => stand_in::run(&arguments),
        Command::Secret { command } => secret::run(command),
        Command::Backup { copy, config } => backup::run(config.as_deref(), &copy),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Profile { command, dir } => profile::run(command, dir.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The commands with a `--config`, and the variable that may stand for it.
    fn variables(command: &clap::Command, found: &mut Vec<(String, Option<String>)>) {
        for argument in command.get_arguments().filter(|argument| argument.get_id() == "config") {
            let variable = argument.get_env().map(|variable| variable.to_string_lossy().into_owned());
            found.push((command.get_name().to_owned(), variable));
        }
        command.get_subcommands().for_each(|command| variables(command, found));
    }

    #[test]
    fn one_variable_names_the_configuration_of_every_command() {
        let mut found = Vec::new();
        variables(&Cli::command(), &mut found);
        assert!(found.len() > 10, "{found:?}");
        for (command, variable) in found {
            assert_eq!(variable.as_deref(), Some(CONFIG_VARIABLE), "{command}");
        }
    }
}
