//! Property tests of the domain on generated histories. Any order and any repetition of the same events end in the same
//! record, and that is the one of a ledger that is kept independently; versions and `lastUpdated` rise strictly; money
//! never contradicts itself.

mod facts;
mod families;
mod history;
mod imports;
mod ledger;
mod ledgers;
mod money_ledger;
mod named;
mod orders;
mod state_ledger;
mod stated;
