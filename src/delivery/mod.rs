//! Telling Transform: when (debounce), how (client), how often (retry), and who does it (worker).

pub mod client;
pub mod debounce;
pub mod retry;
pub mod worker;
