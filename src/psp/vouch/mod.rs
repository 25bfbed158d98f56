//! Is a notification the PSP's own?

pub mod challenge;
pub mod crypto;
mod keys;
pub mod needs;
pub mod secret;
pub mod sign;
pub mod signed;
pub mod verify;
