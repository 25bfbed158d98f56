//! The `profile` commands on the command line, with their arguments, and the run of one.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::told::{Failed, Told};
use super::{list, new, replay, sign, test};
use crate::cli::output::{answer as print_answer, say};
use crate::guide::page::page;
use crate::psp::profile::catalogue::{Catalogue, Entry};
use crate::psp::profile::schema;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// List the profiles.
    List,
    /// Print a profile's TOML.
    Show {
        /// The profile.
        name: String,
    },
    /// Explain a notification: the signed text and its signature, the rule that reads each message, the reasons against
    /// the other rules, and the events that come out.
    ///
    /// Exit code 0 if it verifies and is understood, 1 if not.
    Test(test::Arguments),
    /// Sign a body as the PSP would, and print the headers to send with it. Where the signature stands inside the body,
    /// print the signed body.
    Sign(sign::Arguments),
    /// Write a commented skeleton of a profile from a notification that the PSP sent.
    New(new::Arguments),
    /// Read stored notifications again by a changed profile, and say which records would differ. The store is not changed.
    ///
    /// Exit code 0 if no record would differ and no notification has another meaning, 1 otherwise.
    Replay(replay::Arguments),
    /// Print the page of a PSP, in Markdown: how to set it up, and what its events mean.
    Page {
        /// The profile.
        name: String,
    },
    /// Print the JSON Schema of profiles, for editors.
    Schema,
}

/// The exit code for a negative answer: of `test`, for a notification that does not verify or is not understood; of
/// `replay`, for a difference.
const EXIT_NO: u8 = 1;

pub(in crate::cli) fn run(command: Command, dir: Option<&Path>) -> ExitCode {
    match answer(command, dir) {
        Ok((text, good)) => print_answer(text.trim_end(), ExitCode::from(if good { 0 } else { EXIT_NO })),
        Err(reason) => {
            say(&reason);
            ExitCode::from(reason.exit_code())
        }
    }
}

fn answer(command: Command, dir: Option<&Path>) -> Result<Told, Failed> {
    let catalogue = catalogue(dir)?;
    Ok(match command {
        Command::List => (list::list(&catalogue), true),
        Command::Show { name } => (entry(&catalogue, &name)?.text.toml().to_owned(), true),
        Command::Test(arguments) => test::run(entry(&catalogue, &arguments.name)?, &arguments)?,
        Command::New(arguments) => new::run(&arguments)?,
        Command::Replay(arguments) => replay::run(entry(&catalogue, &arguments.name)?, &arguments)?,
        Command::Page { name } => (page(&entry(&catalogue, &name)?.profile), true),
        Command::Schema => (format!("{:#}", schema()), true),
        Command::Sign(arguments) => sign::run(entry(&catalogue, &arguments.name)?, &arguments)?,
    })
}

fn catalogue(dir: Option<&Path>) -> Result<Catalogue, String> {
    let mut catalogue = Catalogue::built_in().map_err(|error| error.to_string())?;
    if let Some(dir) = dir {
        crate::config::add_folder(&mut catalogue, dir).map_err(|errors| errors.join("\n"))?;
    }
    Ok(catalogue)
}

fn entry<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Entry, String> {
    catalogue.get(name).ok_or_else(|| {
        format!("there is no profile {name:?}; `profile list` shows them, and --dir adds a folder of yours")
    })
}
