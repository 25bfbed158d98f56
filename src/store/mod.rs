//! The store on disk: the inbox of notifications, the records, the outbox of changes that Transform has yet to hear of.
//!
//! This folder is the store's face, without the words of any engine, with one file for each subject. Each folder below
//! is one engine.

mod caught;
mod core;
mod correction;
pub mod encoding;
mod error;
mod fetches;
mod findings;
mod hints;
mod import;
mod inbox;
mod lists;
mod options;
mod outbox;
mod outcome;
mod pruned;
mod records;
pub mod rehearsal;
mod slots;
mod sqlite;
pub mod sureness;
mod telling;
mod times;
mod wake;

pub use caught::{GaveWay, LedElsewhere};
#[cfg(test)]
pub(crate) use core::InMemory;
pub use correction::{Corrected, Correction, Corrections, Judgement, Made};
pub use error::{OpenError, StoreError};
pub use fetches::{Answered, AskedBy, Awaiting, Fetch, FetchFailed, FetchSettled, FetchesSought, Through};
pub use findings::{Finding, FindingKind};
pub use hints::{HintError, Hinted};
pub use import::{Became, ToImport};
pub use inbox::{Kept, Receipt, Redated, TakeError, Taken};
pub use lists::{AttemptMade, DeadLetter, GivenUp, History, ListedRecord, ParkedEvent, VersionMade};
pub use options::{Keep, ParkedLimits, StoreOptions};
pub use outbox::{Attempt, Delivery, Owed, OwedPage, Settlement};
pub use outcome::Outcome;
pub use pruned::{DeadLetterGone, Pruned};
pub use records::{Damaged, RegisterError, RegistrationReceipt, Removed, RepairError, Repaired};
pub use slots::{Admission, HintSlots, SlotsTaken};
pub use sqlite::{
    BackupError, Cancelled, RestoreError, Restored, Store, backup, damaged, is_taken, look_back, rehearse, restore,
    sources,
};
pub use telling::{GivenUpSought, TellError};
pub use times::{LongestWaits, Resumed};
pub use wake::Wake;
