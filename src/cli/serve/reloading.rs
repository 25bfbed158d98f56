//! Reloads while `serve` runs: on SIGHUP and at the control socket, with the outcome for the command that asked. The other
//! requests of commands are heard here, too.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::Signal;

use super::configuration::{load, log_errors, log_hints};
use crate::app::{Reloaded, Reloader};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::control::{
    Asked, Control, CorrectionsAnswer, CorrectionsAsked, Fingerprints, ImportAnswer, ImportAsked, InForce, Known,
    Outcome, RepairAnswer, RepairAsked, RuleBySource, TellAnswer, Time, Wish,
};
use crate::correcting::correct;
use crate::domain::telling::ToTell;
use crate::importing::{Import, log};
use crate::registering::{Allowed, Registering};
use crate::repairing::repair;
use crate::source::Source;
use crate::store::{Store, StoreError, TellError};
use crate::telling::tell;

/// Reads the configuration anew, one reload after the other.
#[derive(Debug)]
pub(super) struct Reloads {
    pub(super) reloader: Reloader,
    /// The configuration file.
    pub(super) file: Option<PathBuf>,
    /// The secrets in force, by name.
    pub(super) secrets: InForce,
    /// The rules in force.
    pub(super) rules: RuleBySource,
    /// The store, for corrections.
    pub(super) store: Arc<Store>,
    /// Knows the records that wait for a host, for imports.
    pub(super) registering: Arc<Registering>,
    pub(super) clock: Clock,
}

impl Reloads {
    /// Reads the configuration again at the end of the start. Changes made during the start are then in force before the
    /// relay logs that it listens: until its socket was open, no command could tell it of them. A pipe can be read only
    /// once, so a configuration from a pipe is not read again.
    pub(super) async fn read_once_more(&mut self, once: Option<PathBuf>) {
        if let Some(once) = once {
            let file = once.display();
            tracing::info!(
                %file,
                "the configuration was read once only, because this is not a regular file: a change during the start needs a reload"
            );
        } else if let Ok(config) = self.load_again().await {
            self.put_in_force(config);
        }
    }

    /// Reloads on SIGHUP and for commands at the control socket.
    pub(super) async fn when_asked(mut self, mut hangup: Signal, control: Option<Control>) {
        loop {
            let asked = tokio::select! {
                _ = hangup.recv() => None,
                asked = next(control.as_ref()) => Some(asked),
            };
            let Some(mut asked) = asked else {
                self.reload().await;
                continue;
            };
            match asked.wish().await {
                Some(Wish::Reload) => asked.answer(&self.reload().await).await,
                Some(Wish::Time) => {
                    asked.answer(&Time { now: self.clock.now().wall, secrets: Some(self.secrets.clone()) }).await;
                }
                Some(Wish::Correct) => {
                    let wanted = asked.more().await;
                    asked.answer(&self.correct(wanted).await).await;
                }
                Some(Wish::Tell) => {
                    let wish = asked.more().await;
                    asked.answer(&self.tell(wish).await).await;
                }
                Some(Wish::Import) => {
                    let wanted = asked.more().await;
                    asked.answer(&self.import(wanted).await).await;
                }
                Some(Wish::Repair) => {
                    let wanted = asked.more().await;
                    asked.answer(&self.repair(wanted).await).await;
                }
                None => {}
            }
        }
    }

    /// Makes the corrections of a reread. Another version has other rules, by which the records of this one would be wrong.
    async fn correct(&self, wanted: Option<CorrectionsAsked>) -> CorrectionsAnswer {
        let wanted = match self.by_same_rules(wanted) {
            Ok(wanted) => wanted,
            Err(reason) => return CorrectionsAnswer::Refused(reason),
        };
        match correct(&self.store, wanted.corrections, self.clock.now()).await {
            Ok(corrected) => CorrectionsAnswer::Done(corrected),
            Err(StoreError::Busy) => CorrectionsAnswer::Busy,
            Err(error) => CorrectionsAnswer::Refused(error.to_string()),
        }
    }

    /// Tells Transform again.
    async fn tell(&self, wish: Option<ToTell>) -> TellAnswer {
        let Some(wish) = wish else {
            return TellAnswer::Refused(
                "it does not understand the command; run the command of its version".to_owned(),
            );
        };
        match tell(&self.store, self.clock, wish, None).await {
            Ok(told) => TellAnswer::Done(told),
            Err(error @ TellError::Unknown(_)) => TellAnswer::Unknown(error.to_string()),
            Err(error) => TellAnswer::Refused(error.to_string()),
        }
    }

    /// Imports lines.
    async fn import(&self, wanted: Option<ImportAsked>) -> ImportAnswer {
        let Some(ImportAsked { dry_run, lines, end }) = wanted else {
            return ImportAnswer::Refused(
                "it does not understand the command; run the command of its version".to_owned(),
            );
        };
        if let Some(report) = &end {
            log(report);
        }
        let in_force = self.reloader.in_force();
        let allowed = Allowed {
            sources: &in_force.sources,
            hosts: &in_force.allowed_hosts,
            has_webhook_target: in_force.has_webhook_target,
        };
        let import = Import { store: &self.store, registering: Some(&self.registering), allowed, dry_run };
        match import.take(lines, self.clock.now()).await {
            Ok(report) => ImportAnswer::Done(report),
            Err(StoreError::Busy) => ImportAnswer::Busy,
            Err(error) => ImportAnswer::Refused(error.to_string()),
        }
    }

    /// Corrections that were made by the rules in force, or the reason why they were not.
    fn by_same_rules(&self, wanted: Option<CorrectionsAsked>) -> Result<CorrectionsAsked, String> {
        let Some(wanted) = wanted.filter(CorrectionsAsked::is_by_this) else {
            let version = env!("CARGO_PKG_VERSION");
            return Err(format!(
                "its version is {version}, and the command has another; run the command of that version"
            ));
        };
        match wanted.read_otherwise(&self.rules) {
            Some(source) => Err(format!(
                "it reads the notifications of source {source} by other rules than the command: reload the relay, or give the \
                 command the relay's own configuration and profiles"
            )),
            None => Ok(wanted),
        }
    }

    /// Repairs a record.
    async fn repair(&self, wanted: Option<RepairAsked>) -> RepairAnswer {
        let Some(RepairAsked { key, corrections }) = wanted else {
            return RepairAnswer::Refused(
                "it does not understand the command; run the command of its version".to_owned(),
            );
        };
        let corrections = match self.by_same_rules(Some(corrections)) {
            Ok(corrections) => corrections.corrections,
            Err(reason) => return RepairAnswer::Refused(reason),
        };
        let family = corrections.families.into_iter().flatten().collect();
        match repair(&self.store, key, family, self.clock.now()).await {
            Ok(repaired) => RepairAnswer::Done(repaired),
            Err(error) => RepairAnswer::Refused(error.to_string()),
        }
    }

    async fn reload(&mut self) -> Outcome {
        match self.load_again().await {
            Ok(config) => {
                log_hints(&config);
                let outcome = self.put_in_force(config);
                tracing::info!("reloaded: the configuration is in force");
                outcome
            }
            Err(errors) => Outcome { errors, ..Outcome::default() },
        }
    }

    /// Reads the configuration anew.
    ///
    /// # Errors
    /// All faults of the configuration. They are logged.
    async fn load_again(&self) -> Result<Config, Vec<String>> {
        match load(self.file.clone()).await {
            Ok(Ok(config)) => Ok(config),
            Ok(Err(errors)) => {
                log_errors(&errors);
                tracing::error!("not reloaded: the old configuration stays in force");
                Err(errors.to_string().lines().map(str::to_owned).collect())
            }
            Err(error) => {
                tracing::error!("not reloaded: {error:#}");
                Err(vec![error.to_string()])
            }
        }
    }

    fn put_in_force(&mut self, config: Config) -> Outcome {
        self.secrets = secrets(&config);
        self.rules = rules(&config);
        let names = |known: &Vec<Known>| known.iter().map(|one| one.name.clone()).collect();
        let names = self.secrets.iter().map(|(source, known)| (source.clone(), names(known))).collect();
        let fingerprints = fingerprints(&config);
        let mut warnings = config::warnings(&config, Clock::start().now().wall);
        let Reloaded { restart, shortage } = self.reloader.reload(config.options);
        for key in &restart {
            tracing::warn!(key, "the new value of this key needs a restart: the old one stays in force");
        }
        if let Some(why) = &shortage {
            tracing::warn!("{why}");
        }
        warnings.extend(shortage);
        let restart = restart.into_iter().map(str::to_owned).collect();
        Outcome { restart, errors: Vec::new(), secrets: names, fingerprints, warnings }
    }
}

async fn next(control: Option<&Control>) -> Asked {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}

/// The secrets of each source, by name.
pub(super) fn secrets(config: &Config) -> InForce {
    let known = |(name, source): (&String, &Source)| {
        let of_environment = config.secrets_of_environment.get(name).copied().unwrap_or_default();
        let each = source.secrets.iter().enumerate().map(|(at, secret)| Known {
            name: secret.name.clone(),
            expires_at: secret.expires_at,
            // The secrets of the secrets_file come last.
            of_environment: at < of_environment,
        });
        (name.clone(), each.collect())
    };
    config.options.sources.iter().map(known).collect()
}

/// The rules by which the notifications of each source are read.
pub(super) fn rules(config: &Config) -> RuleBySource {
    config.options.sources.iter().map(|(name, source)| (name.clone(), source.rules())).collect()
}

/// The fingerprints of all secrets. `None` if the machine gives no random bytes: secrets are then told apart by their names.
fn fingerprints(config: &Config) -> Option<Fingerprints> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).ok()?;
    let sources = config.options.sources.iter().map(|(name, source)| (name.as_str(), source.secrets.as_slice()));
    Some(Fingerprints::new(salt, sources))
}
