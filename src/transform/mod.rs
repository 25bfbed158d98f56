//! The contract with Transform, pure: the webhook, its target, and the bodies that Transform reads.

pub mod response;
pub mod target;
pub mod webhook;
