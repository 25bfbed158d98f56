//! The `Store`'s method for an import.

use super::store::Store;
use crate::domain::due::Moment;
use crate::store::core::importing::{Import, Imported};
use crate::store::core::set::WorkingSet;
use crate::store::{Became, Finding, RegistrationReceipt, StoreError, ToImport};

impl Store {
    /// Imports these lines, one after the other; a refused line changes nothing and stops no other. A new record without a target
    /// of its own is refused if it `needs_target`. A dry run changes nothing: the lines are taken and undone together.
    ///
    /// # Errors
    /// The store cannot take them now; nothing was written.
    pub async fn import(
        &self,
        lines: Vec<ToImport>,
        needs_target: bool,
        dry_run: bool,
        now: Moment,
    ) -> Result<Vec<Became>, StoreError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let decision = move |set: &WorkingSet| {
            let import = Import { options: &options, needs_target, dry_run, now };
            import.all(set, &lines).map(Ok::<_, StoreError>)
        };
        let after = move |all: &Vec<Imported>| {
            for RegistrationReceipt { owed, led_elsewhere, findings, .. } in
                all.iter().filter_map(|one| one.receipt.as_ref())
            {
                wake.each(owed);
                if let Some(led) = led_elsewhere {
                    led.log();
                }
                findings.iter().for_each(Finding::log);
            }
        };
        let all = self.writer.decide(decision, after).await.inspect_err(|error| self.met(error))?;
        Ok(all.into_iter().map(|one| one.became).collect())
    }
}
