//! The store on SQLite: one file beside the relay.

#[cfg(test)]
mod any_order;
mod backup;
#[cfg(test)]
mod captures_known;
mod circle;
mod clock;
mod columns;
mod commit;
mod connection;
mod correcting;
mod counts;
mod damage;
mod dead_letters;
mod engine;
mod fair;
mod family;
#[cfg(test)]
mod faults;
mod fetch_ends;
mod fetches;
mod fetches_care;
mod files;
mod findings;
mod first_times;
#[cfg(test)]
mod further_records;
mod given_up;
mod giving_way;
#[cfg(test)]
mod golden;
mod held;
mod hints;
mod history;
mod importing;
#[cfg(test)]
mod in_memory;
mod inbox;
mod journal;
mod later_outcomes;
mod learning;
mod lock;
mod look_back;
mod look_over;
mod migrations;
mod outbox;
mod outcomes;
mod owing;
mod owners;
mod pages;
mod parked;
mod parking;
mod past;
mod placed;
mod placing;
#[cfg(test)]
mod played;
mod prune;
mod reached;
mod readers;
mod records;
mod register;
mod rehearse;
#[cfg(test)]
mod relatives;
mod removal;
mod restore;
#[cfg(test)]
mod several_reasons;
mod sound;
mod store;
mod store_clock;
mod store_fetches;
mod store_lists;
mod store_telling;
mod strangers;
mod taking;
mod turns;
#[cfg(test)]
mod two_clocks;
#[cfg(test)]
mod two_sources;
mod unfinished;
mod unwritten;
mod waited;
mod waiting;
mod wal;
mod wal_end;
mod way;
mod whose;
mod work;
mod writer;

pub use backup::{BackupError, Cancelled, backup};
#[cfg(test)]
pub(crate) use in_memory::InMemory;
pub use lock::is_taken;
pub use look_back::look_back;
pub use rehearse::{rehearse, sources};
pub use restore::{RestoreError, Restored, restore};
pub use store::Store;
