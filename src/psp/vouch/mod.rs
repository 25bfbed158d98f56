//! Verification of notifications: signatures, secrets, certificates and endpoint checks.

pub mod challenge;
pub mod crypto;
mod keys;
pub mod made;
pub mod means;
pub mod needs;
pub mod secret;
pub mod sign;
pub mod signed;
pub mod unverified;
pub mod verify;
