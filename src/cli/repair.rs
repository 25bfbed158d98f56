//! `repair`: a record that cannot be read stands again as it was registered, with what its kept notifications told.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::exit::{EXIT_FAILED, EXIT_IO, EXIT_UNAVAILABLE, EXIT_USAGE};
use super::input::read_or_stdin;
use super::output::{say, tell};
use super::own_store::OwnStore;
use super::reload::{said_of_later, say_waiting};
use super::reread::{self, Kept};
use super::variable::CONFIG_VARIABLE;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::control::{self, CorrectionsAsked, RepairAnswer, RepairAsked, Unanswered};
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::registering::Allowed;
use crate::repairing::{registered, repair};
use crate::store::{Corrections, Damaged, RepairError, Repaired, damaged};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The record: its kind and Transform's id of it, such as payment/64f1c0ffee.
    #[arg(value_name = "KIND/ID")]
    record: RecordKey,
    /// A file with the registration of the record, as the payment stack sends it to PUT /records/{kind}/{id}; - for stdin. It is only
    /// needed if the copy of the registration cannot be read either.
    #[arg(long, value_name = "FILE")]
    registration: Option<PathBuf>,
    /// Take what is kept, although not all notifications of the record are.
    #[arg(long)]
    partly: bool,
    /// The configuration file of the relay. Without one the embedded defaults are in force.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
}

/// Why a repair broke off, with its exit code.
struct Failed(String, u8);

impl From<reread::Failed> for Failed {
    fn from(failed: reread::Failed) -> Self {
        Self(format!("{failed}; nothing is changed"), failed.exit_code())
    }
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    telemetry::init();
    match repaired(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(Failed(reason, code)) => {
            say(reason);
            ExitCode::from(code)
        }
    }
}

fn repaired(arguments: &Arguments) -> Result<u8, Failed> {
    let usage = |reason: String| Failed(reason, EXIT_USAGE);
    let config = config::load(arguments.config.as_deref(), std::env::vars_os());
    let config = config.map_err(|errors| usage(errors.to_string()))?;
    let key = &arguments.record;
    let found = damaged(&config.options.store.path, key, Clock::start().now()).map_err(reread::Failed::from)?;
    let (reason, copy) = match found {
        Damaged::NotThere => return Err(usage(format!("{key} is not registered; nothing is changed"))),
        Damaged::No => {
            tell(format_args!("{key} can be read; nothing is changed"));
            return Ok(0);
        }
        Damaged::ItsCopy => {
            return asked(&config, key, CorrectionsAsked::by_this(Default::default(), Corrections::default()))
                .map(|_| 0);
        }
        Damaged::Yes { reason, registered } => (reason, registered),
    };
    let record = match (copy, &arguments.registration) {
        (Some(copy), None) => *copy,
        (None, Some(file)) => registered_by(&config, key, file)?,
        (Some(_), Some(_)) => {
            let advice = "the copy of its registration can be read: leave out --registration";
            return Err(usage(format!("{key}: {advice}; nothing is changed")));
        }
        (None, None) => {
            return Err(usage(format!(
                "{key} cannot be read ({reason}), and no copy of its registration can be; nothing is changed: give the registration \
                 as --registration FILE"
            )));
        }
    };
    let kept = reread::kept_of(&config, record)?;
    stand_again(&config, arguments, kept, &reason)
}

/// Lets the record stand again with what is kept of it. Returns the exit code.
fn stand_again(config: &Config, arguments: &Arguments, kept: Kept, reason: &str) -> Result<u8, Failed> {
    let (key, Kept { family, is_partly, damaged, fields, rules }) = (&arguments.record, kept);
    if damaged > 0 {
        say(format_args!("other damaged rows of the store, left out: {damaged}; the relay's log names them"));
    }
    let missing = "not all that its notifications told can be read again: some are not kept any more, cannot be read, or do not find it";
    if is_partly && !arguments.partly {
        return Err(Failed(
            format!(
                "{key} cannot be read ({reason}), and {missing}. Nothing is changed; --partly takes what is kept, and then import the \
                 record, or let the PSP send its notifications again"
            ),
            EXIT_FAILED,
        ));
    }
    let corrections = Corrections { families: vec![family], judgements: Vec::new() };
    asked(config, key, CorrectionsAsked::by_this(rules, corrections))?;
    fields.iter().for_each(|field| tell(format_args!("{key}: {field}")));
    if is_partly {
        say(format_args!("{key}: {missing}; import it, or let the PSP send its notifications again"));
    }
    Ok(if is_partly { EXIT_FAILED } else { 0 })
}

/// The record as the registration in a file says.
fn registered_by(config: &Config, key: &RecordKey, file: &Path) -> Result<Record, Failed> {
    let usage = |reason: String| Failed(format!("{reason}; nothing is changed"), EXIT_USAGE);
    let text = read_or_stdin(file).map_err(|reason| Failed(reason, EXIT_IO))?;
    let name = if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() };
    let body: Map<String, Value> = serde_json::from_slice(&text)
        .map_err(|_| usage(format!("{name} is not the registration of a record, which is a JSON object")))?;
    let options = &config.options;
    let allowed = Allowed {
        sources: &options.sources,
        hosts: &options.delivery.allowed_hosts,
        has_webhook_target: options.delivery.webhook_target.is_some(),
    };
    registered(body, key, allowed, Clock::start().now()).map_err(|reason| usage(format!("{name}: {reason}")))
}

/// Has the record repaired by the relay. If no relay runs, repairs it. Prints what came of it.
fn asked(config: &Config, key: &RecordKey, corrections: CorrectionsAsked) -> Result<(), Failed> {
    let store = &config.options.store;
    let asked = RepairAsked { key: key.clone(), corrections };
    let repaired = match control::repair(&store.path, &asked, say_waiting) {
        Ok(RepairAnswer::Done(repaired)) => repaired,
        Ok(RepairAnswer::Refused(reason)) => {
            return Err(Failed(format!("the relay refuses: {reason}; nothing is changed"), EXIT_UNAVAILABLE));
        }
        Err(Unanswered::NotRunning(_)) => by_itself(config, asked)?,
        Err(reason) => return Err(Failed(said_of_later(&reason, &store.path), EXIT_UNAVAILABLE)),
    };
    match repaired {
        Repaired::Now { reason } => tell(format_args!("{key} stands again; it could not be read: {reason}")),
        Repaired::Copied { reason } => tell(format_args!(
            "{key} can be read; the copy of its registration could not be, and is made anew: {reason}"
        )),
        Repaired::NotDamaged | Repaired::NotThere => tell(format_args!("{key} has been mended meanwhile")),
    }
    Ok(())
}

fn by_itself(config: &Config, RepairAsked { key, corrections }: RepairAsked) -> Result<Repaired, Failed> {
    let own = OwnStore::open(&config.options.store).map_err(|reason| Failed(reason.to_string(), EXIT_IO))?;
    let family = corrections.corrections.families.into_iter().flatten().collect();
    let repaired = own.runtime.block_on(repair(&own.store, key, family, own.clock.now()));
    own.close();
    repaired.map_err(|error| match error {
        RepairError::Refused(refusal) => Failed(format!("{refusal}; nothing is changed"), EXIT_USAGE),
        RepairError::Store(error) => Failed(error.to_string(), EXIT_IO),
        RepairError::Meanwhile => Failed(format!("{error}; nothing is changed"), EXIT_FAILED),
    })
}
