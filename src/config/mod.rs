//! Configuration: text settings become checked options. The file overrides the defaults, and the environment
//! (`RELAY_SECTION__KEY`) overrides the file.
//!
//! Each part of the program defines its own options; this module fills them in, and nothing imports it but the
//! commands.

mod check;
mod checked;
mod defaults;
mod environment;
pub mod error;
mod folder;
mod loading;
mod print;
mod profiles;
mod rotation;
mod rotation_lock;
mod secret;
mod secrets_file;
mod settings;
mod unheld;

pub use checked::Config;
pub use loading::load;
pub use print::{in_force, missing};
pub use profiles::{add_folder, renamed};
pub use rotation::{Rotation, rotation, store_path};
pub use rotation_lock::PATIENCE as WAITS_FOR_ANOTHER;
pub use secrets_file::Written;
pub use unheld::warnings;
