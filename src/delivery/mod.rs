//! Telling Transform: when (debounce), whether its host answers (breaker), how (client), how often (retry), and who
//! does it (worker).

pub mod breaker;
pub mod client;
pub mod debounce;
pub mod worker;
