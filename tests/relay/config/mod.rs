//! Settings of the configuration.

mod messages;
mod mistakes;
mod old_names;
mod operators;
mod printed;
mod psp_settings;
mod settings;
