//! Access control: credentials, tokens, JWTs, secrets, proxies, and the throttle for failed credentials. Pure, but for locks
//! around its counters.

pub mod basic;
pub mod compare;
pub mod credentials;
pub mod demands;
pub mod grant;
pub mod jwt;
pub mod key_set;
pub mod operators;
pub mod proxies;
pub mod secrets;
pub mod throttle;
pub mod token;
