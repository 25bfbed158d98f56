//! `profile`: see, write and try the PSP profiles. One file per command.

mod list;
mod new;
mod replay;
mod sign;
mod test;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::{EXIT_IO, EXIT_USAGE, answer as print_answer, say};
use crate::guide::page::page;
use crate::psp::profile::catalogue::{Catalogue, Entry};
use crate::psp::profile::schema;
use crate::store::rehearsal::RehearsalError;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the profiles.
    List,
    /// Print a profile's TOML.
    Show {
        /// The profile.
        name: String,
    },
    /// Explain a notification: what was signed and which signature that gives, which rule reads each message and why the
    /// others do not, and which events come out.
    ///
    /// Exit code 0 if it verifies and is understood, 1 if not.
    Test(test::Arguments),
    /// Sign a body as the PSP would, and print the headers to send with it; where the signature stands inside the body,
    /// print the signed body.
    Sign(sign::Arguments),
    /// Write a commented skeleton of a profile from a notification that the PSP sent.
    New(new::Arguments),
    /// Read stored notifications again by a changed profile, and say which records would differ. Nothing is changed.
    ///
    /// Exit code 0 if none would, 1 if some would.
    Replay(replay::Arguments),
    /// Print the page of a PSP, in Markdown: how to set it up, and what its events mean.
    Page {
        /// The profile.
        name: String,
    },
    /// Print the JSON Schema of profiles, for editors.
    Schema,
}

/// Exit code for an answer that is no: of `test` for a notification that does not verify or is not understood.
const EXIT_NO: u8 = 1;

/// What a command prints, and whether its answer is yes.
type Told = (String, bool);

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// What was asked cannot be answered.
    #[error("{0}")]
    Usage(String),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] RehearsalError),
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self::Usage(reason)
    }
}

impl Failed {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Store(_) => EXIT_IO,
        }
    }
}

pub(super) fn run(command: Command, dir: Option<&Path>) -> ExitCode {
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

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn entry<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Entry, String> {
    catalogue.get(name).ok_or_else(|| {
        format!("there is no profile {name:?}; `profile list` shows them, and --dir adds a folder of yours")
    })
}

/// The headers of a notification from the command line; names in lower case.
fn split_headers(headers: &[String]) -> Result<Vec<(String, String)>, String> {
    let split = |header: &String| {
        let (name, value) = header.split_once(':').ok_or("a --header is not 'Name: value'")?;
        Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    headers.iter().map(split).collect()
}
