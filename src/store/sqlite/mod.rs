//! The store on SQLite: one file beside the relay.

mod backup;
mod clock;
mod columns;
mod commit;
mod connection;
mod counts;
mod damage;
mod dead_letters;
mod engine;
mod fair;
#[cfg(test)]
mod faults;
mod fetch_ends;
mod fetches;
mod fetches_care;
mod files;
mod first_times;
mod giving_way;
#[cfg(test)]
mod golden;
mod held;
mod hints;
mod history;
mod inbox;
mod journal;
mod lock;
mod look_over;
mod migrations;
mod outbox;
mod pages;
mod parked;
mod past;
mod prune;
mod reached;
mod readers;
mod records;
mod rehearse;
mod sound;
mod store;
mod store_clock;
mod store_fetches;
mod strangers;
mod taking;
mod unfinished;
mod unwritten;
mod wal;
mod wal_end;
mod whose;
mod writer;

pub use backup::{BackupError, Cancelled, backup};
pub use lock::is_taken;
pub use rehearse::{rehearse, sources};
pub use store::Store;
