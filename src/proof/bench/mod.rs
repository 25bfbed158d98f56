//! `bench`: how quick the relay is on this machine, as ratios of rounds that stand beside each other.
//!
//! The real program runs as a child process on a temporary store. Two contenders run beside it, as hidden modes of the same
//! program: a handler that does nothing, and a plain service with one transaction for each request. The contenders take turns,
//! round by round, and the order alternates. A ratio is one of neighbouring rounds, and a figure is the median of its rounds.
//!
//! The load comes from one thread of this process, with requests that were made ahead. Its share of the processor is measured, since
//! a generator at its limit measures itself.

#![expect(clippy::float_arithmetic, clippy::as_conversions, reason = "rates and times are not money")]

mod asked;
mod contender;
mod debounced;
mod disk;
mod figure;
mod full;
mod half;
mod hooks;
mod ingest;
mod listening;
mod load;
mod machine;
mod moods;
mod no_op;
mod one_transaction;
mod print;
mod process;
mod relay;
mod report;
mod rest;
mod rounds;
mod routes;
mod run;
mod stage;
mod told;
mod wal;
mod wire;

pub use self::asked::{Asked, rounds, seconds};
pub use self::contender::{Contender, contend};
pub use self::run::bench;
