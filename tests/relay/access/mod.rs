//! Who may come in: credentials, secrets and their rotation, networks, the throttle.

mod jwt;
mod networks;
mod new_secrets;
mod oauth;
mod operators;
mod rotation;
mod secret_overlap;
mod throttle;
mod verified_counts;
