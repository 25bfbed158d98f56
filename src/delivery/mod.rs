//! Delivery of webhooks to Transform: when to look (debounce), whether the host answers (breaker), one attempt (client),
//! and the loop that makes and settles attempts (worker).

pub mod breaker;
pub mod client;
pub mod debounce;
pub mod worker;
