//! The common parts of all outbound requests: waits before retries, and the addresses of localhost.

pub mod loopback;
pub mod retry;
