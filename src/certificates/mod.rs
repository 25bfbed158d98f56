//! The PSPs' certificates: fetched from the URL that a notification names, believed if an authority vouches for them,
//! and kept.
//!
//! Anybody can send a notification, so what one may cost is limited: the profile names the hosts, one fetch serves all
//! that wait for the same URL, only a few are under way at once, and a URL that failed is not asked again for a while.

mod cache;
mod chain;
mod client;
mod loading;
mod no_key;
mod options;

pub use chain::authorities_of_pem;
pub use loading::Certificates;
pub use no_key::NoKey;
pub use options::CertificateOptions;
