//! Checks of the settings: from text to options. Every error is found, each with its key.

mod asked;
mod certificates;
mod checker;
mod credentials;
mod fallback;
mod fetch;
mod jwt;
mod operators;
mod psp_settings;
mod secrets;
mod server;
mod sources;
mod store;
mod transform;
mod whole;

pub(super) use self::whole::check;
