//! What all requests to others share: when to try again, and the addresses of localhost.

pub mod loopback;
pub mod retry;
