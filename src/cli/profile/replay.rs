//! `profile replay`: reads stored notifications again by a changed profile, and says how the records would differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::told::{Failed, Told};
use crate::cli::reading::{Reader, changed, since};
use crate::cli::variable::CONFIG_VARIABLE;
use crate::config;
use crate::guide::difference;
use crate::psp::profile::catalogue::Entry;
use crate::source::Source;
use crate::store;
use crate::store::rehearsal::{Rehearsal, Wanted};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The profile.
    pub(super) name: String,
    /// The store. Needed without --config. It is only read, also while a relay runs on it.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    store: Option<PathBuf>,
    /// The configuration file of the relay: it says where the store is, and which sources have the profile and take which
    /// types of event.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
    /// A source whose notifications are read again. May be given several times. Without it and without --config, the store
    /// must know only one source.
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
    /// Read only notifications received since then, and older ones with events that wait: an RFC 3339 time, or a span
    /// before now such as 7d, 12h or 30m.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

pub(super) fn run(entry: &Entry, arguments: &Arguments) -> Result<Told, Failed> {
    let config = match &arguments.config {
        Some(file) => Some(config::load(Some(file), std::env::vars_os()).map_err(|errors| errors.to_string())?),
        None => None,
    };
    let path = arguments.store.as_ref().or(config.as_ref().map(|config| &config.options.store.path));
    let path = path.ok_or_else(|| "--store or --config is needed".to_owned())?;
    let configured: BTreeMap<String, Source> =
        config.as_ref().map(|config| config.options.sources.clone()).unwrap_or_default();
    let since = arguments.since.as_deref().map(|text| since(text, Timestamp::now())).transpose()?;
    let wanted = Wanted { sources: chosen(entry, arguments, &configured, path)?, since, repaired: None };
    let profiles = wanted.sources.iter().map(|source| (source.as_str(), &*entry.profile)).collect();
    let mut reader = Reader::new(profiles, &configured);
    let rehearsal = store::rehearse(path, &wanted, |past| reader.read(past))?;
    Ok(told(&wanted, &rehearsal, &reader.told()))
}

/// The sources whose notifications are to be read again.
fn chosen(
    entry: &Entry,
    arguments: &Arguments,
    configured: &BTreeMap<String, Source>,
    path: &std::path::Path,
) -> Result<BTreeSet<String>, Failed> {
    let known = store::sources(path)?;
    if !arguments.sources.is_empty() {
        let unknown = arguments.sources.iter().find(|source| !known.contains(source));
        return match unknown {
            Some(unknown) => Err(format!("--source {unknown}: the store knows {}", listed(&known)).into()),
            None => Ok(arguments.sources.iter().cloned().collect()),
        };
    }
    if arguments.config.is_some() {
        let of_profile = configured.values().filter(|source| source.profile.name == entry.profile.name);
        let sources: BTreeSet<_> = of_profile.map(|source| source.name.clone()).collect();
        return match sources.len() {
            0 => Err(format!("no source of the configuration has the profile {:?}", entry.profile.name).into()),
            _ => Ok(sources),
        };
    }
    match known.as_slice() {
        [] | [_] => Ok(known.into_iter().collect()),
        _ => Err(format!("--source is needed: the store knows {}", listed(&known)).into()),
    }
}

fn listed(sources: &[String]) -> String {
    if sources.is_empty() { "no source".to_owned() } else { sources.join(", ") }
}

fn told(wanted: &Wanted, rehearsal: &Rehearsal, read: &str) -> Told {
    let mut text = String::new();
    let mut differing = 0_usize;
    for record in rehearsal.differing.iter().flatten() {
        let lines = difference(&record.stands, &record.would);
        if !lines.is_empty() {
            differing += 1;
            text.push_str(&format!("{} {}\n", record.stands.key.kind, record.stands.key.id));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    }
    let others: Vec<_> = rehearsal.notifications.iter().filter(|one| one.another).map(changed).collect();
    for line in &others {
        text.push_str(&format!("{line}\n"));
    }
    let sources = wanted.sources.iter().cloned().collect::<Vec<_>>();
    let now = |outcome| rehearsal.notifications.iter().filter(|one| one.now.0 == outcome).count();
    text.push_str(&format!(
        "{} notifications of {} read again: {} ignored, {} not understood or contradictory, {} with another meaning\n",
        rehearsal.notifications.len(),
        listed(&sources),
        now(crate::store::Outcome::Ignored),
        now(crate::store::Outcome::DeadLetter),
        others.len(),
    ));
    text.push_str(read);
    text.push_str(&format!(
        "{} records compared: {differing} would differ; {} only partly covered, and not compared: some notifications that \
         made them are not in the store any more or were not read again, or the records changed meanwhile\n",
        rehearsal.compared,
        rehearsal.partly.len(),
    ));
    (text, differing == 0 && others.is_empty())
}
