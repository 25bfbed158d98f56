//! `demo`: the main job in one command. A relay on a temporary store, a stand-in for Transform and two PSPs that sign
//! play a believable story; at the end what Transform holds is compared with what the PSPs know.

#![expect(clippy::indexing_slicing, reason = "indexing JSON values cannot panic: the stage knows their shapes")]

mod ledger;
mod print;
mod psp;
mod relay;
mod run;
mod story;
mod transform;

pub(super) use self::run::run;
