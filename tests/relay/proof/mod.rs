//! What proves the relay: its demo, its soak and its bench.

mod bench;
mod demo;
mod soak;
#[cfg(target_os = "linux")]
mod stopped;
