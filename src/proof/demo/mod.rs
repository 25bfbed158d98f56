//! `demo`: the relay's main job in one command. The real program on a temporary store, the scripted Transform and
//! two PSPs that sign play a believable story. At the end, the counts of all sides are compared, and Transform's records
//! with the PSPs' truth.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value cannot panic; only objects are written to")]

mod config;
mod ledger;
mod outcome;
mod print;
mod psp;
mod relay;
mod run;
mod story;
mod transform;
mod words;

pub use self::run::play;
