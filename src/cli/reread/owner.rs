//! The owner of the store: the relay that runs on it, or else this command.

use std::time::Duration;

use super::failed::Failed;
use crate::cli::own_store::OwnStore;
use crate::cli::reload::{said_of_later, say_waiting};
use crate::control::{self, CorrectionsAnswer, CorrectionsAsked, RuleBySource, Unanswered};
use crate::correcting::correct;
use crate::store::{Corrected, Corrections, StoreError, StoreOptions};

/// The owner of a store.
pub(super) struct Owner<'a> {
    options: &'a StoreOptions,
    /// The rules by which the command has read.
    rules: RuleBySource,
    /// The store, if no relay runs on it.
    own: Option<OwnStore>,
}

/// How often, and after which pause, a relay is asked whose queue is full.
const BUSY_MAX: u32 = 60;
const BUSY_PAUSE: Duration = Duration::from_secs(1);

impl<'a> Owner<'a> {
    pub(super) const fn of(options: &'a StoreOptions, rules: RuleBySource) -> Self {
        Self { options, rules, own: None }
    }

    /// Has corrections made by the relay. If no relay runs, makes them.
    ///
    /// # Errors
    /// The relay does not answer or refuses, or the store cannot be used.
    pub(super) fn correct(&mut self, corrections: Corrections) -> Result<Corrected, Failed> {
        if let Some(own) = &self.own {
            return correct_in(own, corrections);
        }
        let asked = CorrectionsAsked::by_this(self.rules.clone(), corrections);
        for _ in 0..BUSY_MAX {
            match control::correct(&self.options.path, &asked, say_waiting) {
                Ok(CorrectionsAnswer::Done(corrected)) => return Ok(corrected),
                Ok(CorrectionsAnswer::Busy) => std::thread::sleep(BUSY_PAUSE),
                Ok(CorrectionsAnswer::Refused(reason)) => return Err(Failed::Refused(reason)),
                Err(Unanswered::NotRunning(_)) => {
                    return correct_in(self.own.insert(OwnStore::open(self.options)?), asked.corrections);
                }
                Err(reason) => return Err(Failed::Unanswered(said_of_later(&reason, &self.options.path))),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Closes the store, if this command has opened it.
    pub(super) fn close(self) {
        if let Some(own) = self.own {
            own.close();
        }
    }
}

fn correct_in(own: &OwnStore, corrections: Corrections) -> Result<Corrected, Failed> {
    Ok(own.runtime.block_on(correct(&own.store, corrections, own.clock.now()))?)
}
