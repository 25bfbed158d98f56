//! The variable of the environment that stands for an argument of the commands.

/// The variable with the configuration file, where `--config` is not given.
pub(super) const CONFIG_VARIABLE: &str = "RELAY_CONFIG";
