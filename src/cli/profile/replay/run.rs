//! The run of `profile replay`: the choice of the notifications to read again, and the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::reread;
use super::reread::{Counts, Reader};
use crate::cli::profile::told::{Failed, Told};
use crate::config;
use crate::guide::difference;
use crate::psp::profile::catalogue::Entry;
use crate::source::Source;
use crate::store;
use crate::store::rehearsal::{Rehearsal, Wanted};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The profile.
    pub(in crate::cli::profile) name: String,
    /// The store. Needed without --config. It is only read, also while a relay runs on it.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    store: Option<PathBuf>,
    /// The configuration file of the relay: it says where the store is, and which sources have the profile and take which
    /// types of event.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A source whose notifications are read again. May be given several times. Without it and without --config, the store
    /// must know only one source.
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
    /// Read only notifications received since then: an RFC 3339 time, or a span before now such as 7d, 12h or 30m.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

pub(in crate::cli::profile) fn run(entry: &Entry, arguments: &Arguments) -> Result<Told, Failed> {
    let config = match &arguments.config {
        Some(file) => Some(config::load(Some(file), std::env::vars_os()).map_err(|errors| errors.to_string())?),
        None => None,
    };
    let path = arguments.store.as_ref().or(config.as_ref().map(|config| &config.options.store.path));
    let path = path.ok_or_else(|| "--store or --config is needed".to_owned())?;
    let configured: BTreeMap<String, Source> =
        config.as_ref().map(|config| config.options.sources.clone()).unwrap_or_default();
    let since = arguments.since.as_deref().map(|text| instant(text, Timestamp::now())).transpose()?;
    let wanted = Wanted { sources: chosen(entry, arguments, &configured, path)?, since };
    let mut reader = Reader::new(&entry.profile, &configured);
    let rehearsal = store::rehearse(path, &wanted, |past| reader.read(past))?;
    Ok(told(&wanted, &rehearsal, &reader.counts))
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

/// Reads a time, or a span before now.
fn instant(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong =
        || format!("--since {text:?} must be a time such as 2026-01-31T12:00:00Z, or a span such as 7d, 12h or 30m");
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let before = |unit_s: i64| -> Option<Timestamp> {
        let number: i64 = text.get(..text.len().checked_sub(1)?)?.parse().ok().filter(|number| *number >= 0)?;
        now.checked_sub(SignedDuration::from_secs(number.checked_mul(unit_s)?)).ok()
    };
    let unit_s = match text.as_bytes().last() {
        Some(b'd') => 24 * 60 * 60,
        Some(b'h') => 60 * 60,
        Some(b'm') => 60,
        _ => return Err(wrong()),
    };
    before(unit_s).ok_or_else(wrong)
}

fn told(wanted: &Wanted, rehearsal: &Rehearsal, counts: &Counts) -> Told {
    let mut text = String::new();
    let mut differing = 0_usize;
    for (stands, would) in &rehearsal.records {
        let lines = difference(stands, would);
        if !lines.is_empty() {
            differing += 1;
            text.push_str(&format!("{} {}\n", stands.key.kind, stands.key.id));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    }
    let changed = reread::changed(rehearsal, counts);
    for line in &changed {
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
        changed.len(),
    ));
    text.push_str(&counts.told());
    text.push_str(&format!(
        "{} records compared: {differing} would differ; {} only partly covered, and not compared: some notifications that \
         made them are not in the store any more or were not read again, or the records changed meanwhile\n",
        rehearsal.records.len(),
        rehearsal.partly,
    ));
    (text, differing == 0 && changed.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_span() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00Z"),
            ("7d", "2026-01-24T12:00:00Z"),
            ("12h", "2026-01-31T00:00:00Z"),
            ("30m", "2026-01-31T11:30:00Z"),
        ] {
            assert_eq!(instant(text, now), Ok(at.parse().unwrap()), "{text}");
        }
        for bad in ["", "d", "7", "-7d", "7w", "ä", "99999999999999999999d", "9000000000000000h"] {
            assert!(instant(bad, now).is_err(), "{bad}");
        }
    }
}
