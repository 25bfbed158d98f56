//! `soak`: proves that nothing acknowledged is lost, whatever happens around the relay.
//!
//! It runs the real program as a child process on a temporary store. A life is one customer's dealings at one PSP. The
//! lives are generated, and their notifications are sent shuffled, repeated, batched, forged and broken off. Transform is
//! in changing moods. The relay is killed, terminated, frozen and locked out of its store. At the end, Transform's readings
//! are compared with the truth.
//!
//! With `--hostile` the relay is not killed. Strangers attack it instead (`hostile`).
//!
//! The seed reproduces the lives, the telling of each, and the script of faults. It does not reproduce the machine's
//! scheduling, nor the number of lives for which there is time.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value cannot panic; only objects are written to")]

mod asked;
mod check;
mod config;
mod faults;
mod hostile;
mod ledger;
mod lives;
mod plan;
mod print;
mod run;
mod script;
mod senders;
mod transform;
mod world;

pub use self::asked::{Asked, minutes};
pub use self::run::soak;
