//! `demo`: the relay's main job in one command. A relay on a temporary store, a stand-in for Transform and two PSPs that
//! sign play a believable story. At the end, Transform's records are compared with the PSPs' truth.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value cannot panic; only objects are written to")]

mod ledger;
mod print;
mod psp;
mod relay;
mod run;
mod story;
mod transform;

pub use self::run::play;
