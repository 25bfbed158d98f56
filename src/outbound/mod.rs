//! What all requests to others share: the client, the guard of its URLs, and when to try again.

pub(crate) mod client;
pub mod guard;
pub mod retry;
