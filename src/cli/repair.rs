//! `repair`: registers a record anew that cannot be read, and reads again what its kept notifications told.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::exit::{EXIT_FAILED, EXIT_IO, EXIT_UNAVAILABLE, EXIT_USAGE};
use super::input::read_or_stdin;
use super::output::{say, tell};
use super::own_store::OwnStore;
use super::reload::{said_of_later, say_waiting};
use super::reread;
use super::variable::CONFIG_VARIABLE;
use crate::config::{self, Config};
use crate::control::{self, RepairAnswer, RepairAsked, Unanswered};
use crate::domain::ids::RecordKey;
use crate::registering::Allowed;
use crate::repairing::repair;
use crate::store::{RegisterError, Repaired};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The record: its kind and Transform's id of it, such as payment/64f1c0ffee.
    #[arg(value_name = "KIND/ID")]
    record: RecordKey,
    /// A file with the registration of the record, as the payment stack sends it to PUT /records/{kind}/{id}; - for stdin. What was
    /// registered stands nowhere else.
    #[arg(long, value_name = "FILE")]
    registration: PathBuf,
    /// The configuration file of the relay. Without one the embedded defaults are in force.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
}

/// Why a repair broke off, with its exit code.
struct Failed(String, u8);

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
    let (key, file) = (&arguments.record, arguments.registration.display());
    let text = read_or_stdin(&arguments.registration).map_err(|reason| Failed(reason, EXIT_IO))?;
    let registration: Map<String, Value> = serde_json::from_slice(&text)
        .map_err(|error| usage(format!("{file} is not the JSON object of a registration: {error}")))?;
    match registered(&config, key, registration)? {
        Repaired::NotThere => return Err(Failed(format!("{key} is not registered; nothing is changed"), EXIT_USAGE)),
        Repaired::NotDamaged => tell(format_args!("{key} can be read; its registration stays as it is")),
        Repaired::Now { reason } => tell(format_args!("{key} is registered anew; it could not be read: {reason}")),
    }
    let left = reread::one(&config, key).map_err(|failed| {
        let code = failed.exit_code();
        Failed(format!("{failed}; {key} stands as it is registered: run this again"), code)
    })?;
    if left.is_partly {
        say(format_args!(
            "{key} has versions by notifications that are not kept any more or that cannot be read: what they told is not there; import \
             it, or let the PSP send them again"
        ));
    }
    Ok(if left.is_partly || left.is_any { EXIT_FAILED } else { 0 })
}

/// Has the record registered anew by the relay. If no relay runs, registers it.
fn registered(config: &Config, key: &RecordKey, registration: Map<String, Value>) -> Result<Repaired, Failed> {
    let store = &config.options.store;
    let asked = RepairAsked { key: key.clone(), registration };
    match control::repair(&store.path, &asked, say_waiting) {
        Ok(RepairAnswer::Done(repaired)) => Ok(repaired),
        Ok(RepairAnswer::Wrong(reason)) => Err(Failed(format!("{reason}; nothing is changed"), EXIT_USAGE)),
        Ok(RepairAnswer::Refused(reason)) => {
            Err(Failed(format!("the relay refuses: {reason}; nothing is changed"), EXIT_UNAVAILABLE))
        }
        Err(Unanswered::NotRunning(_)) => by_itself(config, asked),
        Err(reason) => Err(Failed(said_of_later(&reason, &store.path), EXIT_UNAVAILABLE)),
    }
}

fn by_itself(config: &Config, RepairAsked { key, registration }: RepairAsked) -> Result<Repaired, Failed> {
    let options = &config.options;
    let own = OwnStore::open(&options.store).map_err(|reason| Failed(reason.to_string(), EXIT_IO))?;
    let allowed = Allowed {
        sources: &options.sources,
        hosts: &options.delivery.allowed_hosts,
        has_webhook_target: options.delivery.webhook_target.is_some(),
    };
    let repaired = own.runtime.block_on(repair(&own.store, key, registration, allowed, own.clock.now()));
    own.close();
    repaired.map_err(|error| match error {
        RegisterError::Refused(refusal) => Failed(format!("{refusal}; nothing is changed"), EXIT_USAGE),
        RegisterError::Store(error) => Failed(error.to_string(), EXIT_IO),
    })
}
