//! `reread`: reads the kept notifications by today's rules, and corrects the records that differ.

mod changes;
mod counts;
mod failed;
mod owner;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use self::changes::{Change, changes, portion};
use self::counts::Counts;
pub(super) use self::failed::Failed;
use self::owner::Owner;
use super::exit::EXIT_FAILED;
use super::output::{answer, say, tell};
use super::reading::{Reader, since};
use super::variable::CONFIG_VARIABLE;
use crate::config::{self, Config};
use crate::control::RuleBySource;
use crate::domain::message::Meaning;
use crate::domain::record::Record;
use crate::guide::difference;
use crate::source::Source;
use crate::store::rehearsal::{Past, Rehearsal, Reread, Wanted};
use crate::store::{self, Correction, Made, Outcome};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file of the relay. Without one the embedded defaults are in force.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
    /// Read only notifications received since then, and older ones with events that wait: an RFC 3339 time, or a span
    /// before now such as 7d, 12h or 30m.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// A source whose notifications are read again. May be given several times. Without it, all sources of the
    /// configuration.
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
    /// Change nothing, and print what would change.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    telemetry::init();
    reread(arguments).unwrap_or_else(|failed| {
        say(&failed);
        ExitCode::from(failed.exit_code())
    })
}

fn reread(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let config = config::load(arguments.config.as_deref(), std::env::vars_os());
    let config = config.map_err(|errors| Failed::Usage(errors.to_string()))?;
    let since = arguments.since.as_deref().map(|text| since(text, Timestamp::now())).transpose();
    let since = since.map_err(Failed::Usage)?;
    let wanted = Wanted { sources: chosen(arguments, &config.options.sources)?, since, repaired: None };
    let (rehearsal, mut read) = rehearsed(&config, &wanted)?;
    if rehearsal.damaged > 0 {
        read.push_str(&format!(
            "damaged rows, left out with the records that they concern: {}; the relay's log names them\n",
            rehearsal.damaged
        ));
    }
    let mut counts = Counts::of(&rehearsal);
    let changes = changes(rehearsal);
    if arguments.dry_run {
        let mut text = String::new();
        for Change { summary, .. } in &changes {
            counts.count(summary, Made::Now);
            summary.lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        text.push_str(&format!("{read}{}", counts.would()));
        let code = if counts.is_nothing() && !counts.is_left() { 0 } else { EXIT_FAILED };
        return Ok(answer(text, ExitCode::from(code)));
    }
    corrected(&config, &wanted, changes, &mut counts)?;
    tell(format_args!("{read}{}", counts.did()));
    Ok(ExitCode::from(if counts.is_left() { EXIT_FAILED } else { 0 }))
}

/// What the kept notifications tell of a record that is to be repaired.
pub(super) struct Kept {
    /// The corrections of its family, with itself; of itself alone if it is not all there.
    pub(super) family: Vec<Correction>,
    /// Whether not all that made the record is read again.
    pub(super) is_partly: bool,
    /// The number of damaged rows that were left out.
    pub(super) damaged: usize,
    /// The fields of its view that events have told, as text.
    pub(super) fields: Vec<String>,
    /// The rules by which notifications were read.
    pub(super) rules: RuleBySource,
}

/// Reads all kept notifications again, to see what they tell of one record, which stands as it was `registered` at their beginning.
///
/// # Errors
/// The store cannot be read, or the record is not there.
pub(super) fn kept_of(config: &Config, registered: Record) -> Result<Kept, Failed> {
    let key = registered.key.clone();
    let sources = config.options.sources.keys().cloned().collect();
    let wanted = Wanted { sources, since: None, repaired: Some(registered) };
    let (rehearsal, _) = rehearsed(config, &wanted)?;
    let Rehearsal { repaired, mut differing, partly, damaged, .. } = rehearsal;
    let own = repaired.ok_or_else(|| Failed::Usage(format!("{key} is not registered any more")))?;
    differing.retain(|family| family.iter().any(|record| record.stands.key == key));
    let mut family: Vec<_> = differing.into_iter().flatten().filter(|record| record.stands.key != key).collect();
    let (fields, is_partly) = (difference(&own.stands, &own.would), partly.contains(&key.id));
    family.push(own);
    let family = family.into_iter().map(Correction::of).collect();
    Ok(Kept { family, is_partly, damaged, fields, rules: rules(config, &wanted) })
}

/// The sources whose notifications are read again.
fn chosen(arguments: &Arguments, configured: &BTreeMap<String, Source>) -> Result<BTreeSet<String>, Failed> {
    if arguments.sources.is_empty() {
        return Ok(configured.keys().cloned().collect());
    }
    match arguments.sources.iter().find(|source| !configured.contains_key(*source)) {
        Some(unknown) => Err(Failed::Usage(format!("--source {unknown}: the configuration has no such source"))),
        None => Ok(arguments.sources.iter().cloned().collect()),
    }
}

/// The rehearsal by the rules of today, and lines about what could not be read as it was.
fn rehearsed(config: &Config, wanted: &Wanted) -> Result<(Rehearsal, String), Failed> {
    let (sources, path) = (&config.options.sources, &config.options.store.path);
    let profiles = sources.iter().map(|(name, source)| (name.as_str(), &*source.profile)).collect();
    let mut reader = Reader::new(profiles, sources);
    let mut lost = 0_usize;
    let rehearsal = store::rehearse(path, wanted, |past| {
        let reread = reader.read(past);
        let is_lost = !reread.left_out && is_lost(past, &reread);
        lost += usize::from(is_lost);
        Reread { left_out: reread.left_out || is_lost, ..reread }
    })?;
    let mut read = reader.told();
    if lost > 0 {
        read.push_str(&format!(
            "{lost} of them were understood when they came and are not understood now; they were left out\n"
        ));
    }
    let known = store::sources(path)?;
    let others: Vec<_> = known.into_iter().filter(|source| !sources.contains_key(source)).collect();
    if !others.is_empty() {
        read.push_str(&format!(
            "not read, since they are not configured: the notifications of {}\n",
            others.join(", ")
        ));
    }
    Ok((rehearsal, read))
}

/// Whether a notification had events and cannot be understood any more. Its facts must not be lost by that.
fn is_lost(past: &Past, reread: &Reread) -> bool {
    let had_events = ![Outcome::DeadLetter.name(), Outcome::Ignored.name()].contains(&past.outcome.as_str());
    let mut messages = reread.normalised.messages.iter();
    had_events && messages.any(|message| matches!(message.meaning, Meaning::NotUnderstood(_)))
}

/// The rules by which the wanted notifications are read.
fn rules(config: &Config, wanted: &Wanted) -> RuleBySource {
    let read = config.options.sources.iter().filter(|(name, _)| wanted.sources.contains(*name));
    read.map(|(name, source)| (name.clone(), source.rules())).collect()
}

/// Makes the changes in portions, and prints each that is made.
fn corrected(config: &Config, wanted: &Wanted, changes: Vec<Change>, counts: &mut Counts) -> Result<(), Failed> {
    let mut owner = Owner::of(&config.options.store, rules(config, wanted));
    let mut changes = changes.into_iter();
    loop {
        let (corrections, summaries) = portion(&mut changes);
        if summaries.is_empty() {
            owner.close();
            return Ok(());
        }
        let made = owner.correct(corrections).inspect_err(|_| {
            say("broken off: what is printed so far is done. Run it again for the rest");
        })?;
        let made = made.families.into_iter().chain(made.judgements);
        for (summary, made) in summaries.iter().zip(made) {
            counts.count(summary, made);
            summary.lines.iter().filter(|_| made == Made::Now).for_each(tell);
        }
    }
}
