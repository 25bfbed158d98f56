//! The contract with Transform, pure: the webhook, its target, and the bodies that Transform reads and writes.

pub mod body;
pub mod refused;
pub mod request;
pub mod response;
pub mod spelling;
pub mod target;
pub mod value;
pub mod webhook;
