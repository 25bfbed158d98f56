//! Settings of the configuration.

mod old_names;
mod settings;
