//! `restore`: puts a copy of the store into its place, and says since when the PSPs have to send again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::exit::{EXIT_IO, EXIT_USAGE};
use super::output::{answer, say};
use super::variable::CONFIG_VARIABLE;
use crate::config;
use crate::store::{OpenError, RestoreError, Restored, restore};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The copy, as `backup` has made it. It stays where it is.
    #[arg(value_name = "FILE")]
    copy: PathBuf,
    /// The configuration file of the relay. Without one the embedded defaults are in force.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    telemetry::init();
    let store = match config::store_path(arguments.config.as_deref(), std::env::vars_os()) {
        Ok(store) => store,
        Err(errors) => {
            say(errors);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match restore(&store, &arguments.copy, Timestamp::now()) {
        Ok(restored) => answer(told(&restored, &arguments.copy), ExitCode::SUCCESS),
        Err(RestoreError::Store(OpenError::InUse(path))) => {
            say(format_args!(
                "a relay runs on {}: stop it, and start it afterwards; nothing was restored",
                path.display()
            ));
            ExitCode::from(EXIT_IO)
        }
        Err(error) => {
            say(format_args!("{error}; nothing was restored"));
            ExitCode::from(EXIT_IO)
        }
    }
}

fn told(restored: &Restored, copy: &Path) -> String {
    let mut lines = vec![format!("{} is what {} was", restored.store.display(), copy.display())];
    if let Some(aside) = &restored.aside {
        let mut wal = aside.clone().into_os_string();
        wal.push("-wal");
        let wal = PathBuf::from(wal);
        let and_wal = if wal.exists() { format!(", and {},", wal.display()) } else { String::new() };
        let aside = aside.display();
        lines.push(format!(
            "the earlier store is {aside} now; it holds payer data: delete it{and_wal} once nobody needs it"
        ));
    }
    lines.push(match restored.known_until {
        Some(at) => format!(
            "start the relay; have your payment stack register again what it has registered since {at}, and each PSP send again \
             what it has sent since {at}"
        ),
        None => "start the relay; have your payment stack register everything again, and each PSP send everything again: the copy \
                 has no notification"
            .to_owned(),
    });
    lines.join("\n")
}
