//! Who may come in: credentials, tokens, secrets, and how often one may be wrong. Pure, but for locks around what is counted.

pub mod basic;
pub mod compare;
pub mod credentials;
pub mod demands;
pub mod grant;
pub mod proxies;
pub mod secrets;
pub mod throttle;
pub mod token;
