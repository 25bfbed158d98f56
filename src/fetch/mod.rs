//! Fetching of objects from the PSPs' own APIs: the truth to which notifications only point.
//!
//! The store holds the objects to be fetched and the messages that wait for them. A source's [`api`] says how its PSP is
//! asked, and its [`budget`] how often. `judge` says what a response is worth.

pub mod api;
pub mod base;
pub mod budget;
mod client;
mod judge;
mod settling;
pub mod worker;
