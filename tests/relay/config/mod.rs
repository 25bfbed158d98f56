//! Settings of the configuration.

mod messages;
mod mistakes;
mod old_names;
mod printed;
mod psp_settings;
mod settings;
