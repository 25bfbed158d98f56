//! Fetches the truth that notifications only point to from the PSPs' own APIs.
//!
//! What is to be fetched, and who waits for it, is in the store; a source's [`api`] says how its PSP is asked, its
//! [`budget`] how often, `judge` what an answer is worth.

pub mod api;
pub mod base;
pub mod budget;
mod client;
mod judge;
mod settling;
pub mod worker;
