//! The owner of the store: the relay that runs on it, or else this command.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::failed::Failed;
use crate::cli::reload::say_waiting;
use crate::cli::serve::runtime;
use crate::clock::Clock;
use crate::control::{self, CorrectionsAnswer, CorrectionsAsked, RuleBySource, Unanswered};
use crate::correcting::correct;
use crate::housekeeping;
use crate::store::{Corrected, Corrections, Store, StoreError, StoreOptions, Wake};

/// The owner of a store.
pub(super) struct Owner<'a> {
    options: &'a StoreOptions,
    /// The rules by which the command has read.
    rules: RuleBySource,
    /// The store, if no relay runs on it.
    own: Option<Own>,
}

/// A store that this command has opened, and locked as a relay does.
struct Own {
    store: Store,
    clock: Clock,
    runtime: Runtime,
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
            return own.correct(corrections);
        }
        let asked = CorrectionsAsked::by_this(self.rules.clone(), corrections);
        for _ in 0..BUSY_MAX {
            match control::correct(&self.options.path, &asked, say_waiting) {
                Ok(CorrectionsAnswer::Done(corrected)) => return Ok(corrected),
                Ok(CorrectionsAnswer::Busy) => std::thread::sleep(BUSY_PAUSE),
                Ok(CorrectionsAnswer::Refused(reason)) => return Err(Failed::Refused(reason)),
                Err(Unanswered::NotRunning(_)) => {
                    return self.own.insert(Own::open(self.options)?).correct(asked.corrections);
                }
                Err(reason) => return Err(Failed::Unanswered(reason)),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Closes the store, if this command has opened it.
    pub(super) fn close(self) {
        if let Some(Own { store, clock, runtime }) = self.own {
            runtime.block_on(housekeeping::keep_clock(&store, clock));
            store.close();
        }
    }
}

impl Own {
    fn open(options: &StoreOptions) -> Result<Self, Failed> {
        let runtime = runtime().map_err(Failed::Runtime)?;
        // The next relay finds in the store what Transform is owed.
        let store = Store::open(StoreOptions { must_exist: true, ..options.clone() }, Wake::new(|_| ()))?;
        let clock = runtime.block_on(housekeeping::start_clock(&store))?;
        Ok(Self { store, clock, runtime })
    }

    fn correct(&self, corrections: Corrections) -> Result<Corrected, Failed> {
        Ok(self.runtime.block_on(correct(&self.store, corrections, self.clock.now()))?)
    }
}
