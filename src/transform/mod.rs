//! The contract with Transform, pure: the webhook, its target, and the bodies that Transform fetches.

pub mod response;
pub mod target;
pub mod webhook;
