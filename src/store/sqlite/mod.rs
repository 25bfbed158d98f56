//! The store on SQLite: one file beside the relay.

#[cfg(test)]
mod any_order;
mod backup;
#[cfg(test)]
mod captures_known;
mod checkpointer;
mod clock;
mod columns;
mod connection;
mod correcting;
mod counts;
mod damage;
mod dead_letters;
mod decide;
mod engine;
mod fair;
#[cfg(test)]
mod faults;
mod fetch_ends;
mod fetches;
mod fetches_care;
mod files;
mod findings;
mod first_times;
mod flush;
#[cfg(test)]
mod further_records;
mod given_up;
#[cfg(test)]
mod golden;
mod held;
mod hints;
mod history;
mod importing;
mod inbox;
mod journal;
mod lean;
#[cfg(test)]
mod lent;
mod load;
mod lock;
mod look_back;
mod look_over;
mod migrations;
mod named;
#[cfg(test)]
mod one_by_one;
mod outbox;
mod owners;
mod pages;
mod parked;
mod past;
mod placed;
#[cfg(test)]
mod played;
mod prune;
mod reached;
mod readers;
mod records;
mod registrations;
mod rehearse;
#[cfg(test)]
mod relatives;
mod repairing;
mod restore;
mod search;
#[cfg(test)]
mod several_reasons;
mod sound;
mod store;
mod store_clock;
mod store_fetches;
mod store_lists;
mod store_search;
mod store_telling;
mod strangers;
mod turns;
#[cfg(test)]
mod two_clocks;
#[cfg(test)]
mod two_sources;
mod unfinished;
mod waiting;
mod wal;
mod wal_end;
mod whose;
mod writer;

pub use backup::{BackupError, Cancelled, backup};
pub use lock::is_taken;
pub use look_back::look_back;
pub use rehearse::{rehearse, sources};
pub use repairing::damaged;
pub use restore::{RestoreError, Restored, restore};
pub use store::Store;
