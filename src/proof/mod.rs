//! Proof that the relay does its work, beside the product: the demo, the soak, the bench, and the stand-ins that they play with.
//!
//! The stand-ins are Transform, the PSPs and a PSP's API, scripted, and the relay as a child process. The tests use
//! them, too.

pub mod bench;
pub mod demo;
pub mod soak;
pub mod stand_in;

mod ended;
mod folder;
mod lock;
mod stop;
mod tell;

pub use self::ended::{Ended, Verdict};
pub use self::stop::StoppedBy;
