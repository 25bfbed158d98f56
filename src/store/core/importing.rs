//! The import of lines: each is taken by itself, and a refused line changes nothing.

use super::records;
use super::register::{self, Done};
use super::set::{Decided, WorkingSet};
use crate::domain::due::Moment;
use crate::domain::registration::Refusal;
use crate::store::{Became, RegistrationReceipt, StoreOptions, ToImport};

/// A line that was dealt with.
pub(in crate::store) struct Imported {
    /// What came of it.
    pub(in crate::store) became: Became,
    /// What is reported once it is on disk.
    pub(in crate::store) receipt: Option<RegistrationReceipt>,
}

/// The way in which lines are imported.
pub(in crate::store) struct Import<'a> {
    /// The options in force.
    pub(in crate::store) options: &'a StoreOptions,
    /// Whether a new record without a target of its own is refused.
    pub(in crate::store) needs_target: bool,
    /// Whether nothing is to change.
    pub(in crate::store) dry_run: bool,
    /// The time.
    pub(in crate::store) now: Moment,
}

impl Import<'_> {
    /// Imports these lines, one after the other. In a dry run they are taken and undone together.
    pub(in crate::store) fn all(&self, set: &WorkingSet, lines: &[ToImport]) -> Decided<Vec<Imported>> {
        let mark = set.mark();
        let mut all: Vec<Imported> = lines.iter().map(|line| self.one(set, line)).collect::<Decided<_>>()?;
        if self.dry_run {
            set.roll_back(mark);
            all.iter_mut().for_each(|one| one.receipt = None);
        }
        Ok(all)
    }

    fn one(&self, set: &WorkingSet, line: &ToImport) -> Decided<Imported> {
        if self.needs_target && line.said.webhook_target.is_none() && records::by_key(set, &line.key)?.is_none() {
            let reason = "is required: no transform.webhook_target is configured";
            return Ok(refused(Refusal::invalid("webhookTarget", reason)));
        }
        let mark = set.mark();
        Ok(match register::import(set, self.options, line, self.now)? {
            Ok(Done { receipt, changed }) => {
                let became = match (receipt.created, changed) {
                    (true, _) => Became::New,
                    (false, true) => Became::Changed,
                    (false, false) => Became::Unchanged,
                };
                Imported { became, receipt: Some(receipt) }
            }
            Err(refusal) => {
                set.roll_back(mark);
                refused(refusal)
            }
        })
    }
}

const fn refused(refusal: Refusal) -> Imported {
    Imported { became: Became::Refused(refusal), receipt: None }
}
