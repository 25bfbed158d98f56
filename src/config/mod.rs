//! Configuration: text settings become checked options. The file overrides the defaults, and the environment
//! (`RELAY_SECTION__KEY`) overrides the file. config.example.toml holds the defaults, and is embedded.
//!
//! Each part of the program defines its own options, and `app` puts them together; this module fills them in. Nothing
//! imports it but the commands.

mod check;
mod checked;
mod environment;
pub mod error;
mod folder;
mod in_force;
mod key;
mod layers;
mod loading;
mod origins;
mod profiles;
mod rotation;
mod rotation_lock;
mod secret;
mod secrets_file;
mod settings;
mod shape;
mod toml_text;
mod warnings;
mod written;

pub use checked::Config;
pub use loading::{load, place};
pub use profiles::{add_folder, renamed};
pub use rotation::{Rotation, rotation, store_path};
pub use rotation_lock::PATIENCE as WAITS_FOR_ANOTHER;
pub use secrets_file::Written;
pub use warnings::{missing, warnings};
