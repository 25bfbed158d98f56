//! The PSPs' certificates: fetched from the URL that a notification names, believed if an authority vouches for them,
//! and cached.
//!
//! Anybody can send a notification, so its cost is limited. The profile names the hosts. One fetch serves all notifications
//! that wait for the same URL. Only a few fetches are under way at once. A failed URL is not asked again for a while.

mod cache;
mod chain;
mod client;
mod loading;
mod no_key;
mod options;

pub use chain::{authorities_of_pem, key_of_pem};
pub use loading::Certificates;
pub use no_key::NoKey;
pub use options::CertificateOptions;
