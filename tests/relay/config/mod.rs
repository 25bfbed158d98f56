//! Settings of the configuration.

mod mistakes;
mod old_names;
mod printed;
mod settings;
