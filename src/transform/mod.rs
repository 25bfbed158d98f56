//! The contract with Transform, pure: the webhook that tells and the bodies that are fetched.

pub mod response;
pub mod target;
pub mod webhook;
