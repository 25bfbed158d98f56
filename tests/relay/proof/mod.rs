//! What proves the relay: its demo and its soak.

mod demo;
mod soak;
#[cfg(target_os = "linux")]
mod stopped;
