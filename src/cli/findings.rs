//! `findings`: prints what somebody should look at, also what the kept notifications of the last days show.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::exit::{EXIT_IO, EXIT_USAGE};
use super::output::{answer, say};
use super::reading::{Reader, since};
use super::variable::CONFIG_VARIABLE;
use crate::config::{self, Config};
use crate::store;
use crate::store::Finding;
use crate::store::rehearsal::{RehearsalError, Wanted};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file of the relay. Without one the embedded defaults are in force.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
    /// Read also the notifications received since then: an RFC 3339 time, or a span before now such as 7d, 12h or 30m.
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    telemetry::init();
    let loaded = config::load(arguments.config.as_deref(), std::env::vars_os()).map_err(|errors| errors.to_string());
    let now = Timestamp::now();
    let wanted = loaded.and_then(|config| Ok((since(&arguments.since, now)?, config)));
    let (since, config) = match wanted {
        Ok(wanted) => wanted,
        Err(reason) => {
            say(reason);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match told(&config, since, now) {
        Ok(text) => answer(text, ExitCode::SUCCESS),
        Err(error) => {
            say(error);
            ExitCode::from(EXIT_IO)
        }
    }
}

fn told(config: &Config, since: Timestamp, now: Timestamp) -> Result<String, RehearsalError> {
    let (sources, path) = (&config.options.sources, &config.options.store.path);
    let profiles = sources.iter().map(|(name, source)| (name.as_str(), &*source.profile)).collect();
    let mut reader = Reader::new(profiles, sources);
    let wanted = Wanted { sources: sources.keys().cloned().collect(), since: Some(since), repaired: None };
    let findings = store::look_back(path, &wanted, now, |past| reader.read(past))?;
    let mut text: String = findings.iter().map(|finding| format!("{}\n", line(finding))).collect();
    if sources.is_empty() {
        text.push_str("no source is configured, and only findings of configured sources are shown: give --config\n");
    }
    text.push_str(&match findings.len() {
        0 => "no findings".to_owned(),
        1 => "1 finding".to_owned(),
        more => format!("{more} findings"),
    });
    Ok(text)
}

/// A finding in one line.
fn line(finding: &Finding) -> String {
    let Finding { what, source, event_type, count, notification, record, missing, last_at, .. } = finding;
    let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
    let source = if source.is_empty() { "no source" } else { source };
    let mut line = format!("{} {source}: {event_type}, {times}, last at {last_at}", what.name());
    let more = [
        record.as_ref().map(|record| format!("names {record}")),
        notification.map(|id| format!("notification {id}")),
        missing.as_ref().map(|missing| format!("missing is {missing}")),
    ];
    more.into_iter().flatten().for_each(|more| line.push_str(&format!("; {more}")));
    line
}
