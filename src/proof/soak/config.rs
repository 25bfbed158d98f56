//! The configuration of the soak's relay.

use std::net::SocketAddr;
use std::path::Path;

use super::lives::SOURCES;
use crate::proof::folder::toml;
use crate::proof::stand_in::{STACK_TOKEN, TRANSFORM_TOKEN, database};

/// The relay's configuration: quick, so that much happens in little time, but patient, so that nothing is given up.
pub(super) fn config(folder: &Path, transform: SocketAddr, failed_as: &str) -> String {
    let mut text = format!(
        r#"[server]
listen = "127.0.0.1:0"
shutdown_grace = "3s"

[store]
path = {}

[debounce]
quiet = "200ms"
max_wait = "1s"

[transform]
allowed_hosts = ["{transform}"]
webhook_target = "http://{transform}/webhooks"
tokens = ["{TRANSFORM_TOKEN}"]
timeout = "3s"
failed_as = "{failed_as}"

[transform.retry]
first = "100ms"
max = "2s"
give_up_after = "9000h"

[integrator]
tokens = ["{STACK_TOKEN}"]
"#,
        toml(&database(folder))
    );
    for (source, profile, secret) in SOURCES {
        text.push_str(&format!("\n[sources.{source}]\nprofile = \"{profile}\"\nsecrets = [\"{secret}\"]\n"));
    }
    text
}
