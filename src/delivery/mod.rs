//! Delivery of webhooks to Transform: when to look (debounce), whether the host answers (breaker), one attempt (client),
//! the loop that makes and settles attempts (worker), and the return of what was given up because of a host (awaited,
//! revival).

pub mod awaited;
pub mod breaker;
pub mod client;
pub mod debounce;
pub mod revival;
pub mod worker;
