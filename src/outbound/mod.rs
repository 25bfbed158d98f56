//! Requests to others, that is to Transform, to PSPs' APIs, for certificates and for keys: the client that all share, the guard
//! of its URLs, and the times to try again.

pub(crate) mod client;
pub mod guard;
pub mod retry;
