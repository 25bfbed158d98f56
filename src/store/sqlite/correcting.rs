//! The `Store`'s method for the corrections of a reread.

use super::store::Store;
use crate::domain::due::Moment;
use crate::store::core::correcting::{Done, correct, digest_of};
use crate::store::core::set::WorkingSet;
use crate::store::rehearsal::Differing;
use crate::store::{Corrected, Correction, Corrections, LedElsewhere, StoreError};

impl Correction {
    /// The correction of a record that would differ.
    #[must_use]
    pub fn of(differing: Differing) -> Self {
        let Differing { stands, would, learns, placed, shown } = differing;
        Self { key: stands.key.clone(), stands: digest_of(&stands), would, learns, placed, shown }
    }
}

impl Store {
    /// Makes corrections. Corrections that were made for another state of the store are left out.
    ///
    /// # Errors
    /// The store cannot take them now; nothing was written.
    pub async fn correct(&self, corrections: Corrections, now: Moment) -> Result<Corrected, StoreError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let decision = move |set: &WorkingSet| correct(set, &options, &corrections, now).map(Ok::<_, StoreError>);
        let after = move |done: &Done| {
            wake.each(&done.owed);
            done.led_elsewhere.iter().for_each(LedElsewhere::log);
        };
        Ok(self.writer.decide(decision, after).await.inspect_err(|error| self.met(error))?.corrected)
    }
}

#[cfg(test)]
mod tests;
