//! The configuration of the demo's relay: quick, so that the story is told in seconds.

use std::net::SocketAddr;
use std::path::Path;

use super::psp::PSPS;
use crate::proof::folder::toml;
use crate::proof::stand_in::{STACK_TOKEN, TRANSFORM_TOKEN, database};

/// The configuration, with the address at which the relay listens.
pub(super) fn config(folder: &Path, listen: SocketAddr, transform: SocketAddr) -> String {
    let mut text = format!(
        r#"# The demo's relay. Its PSPs, its secrets and its Transform are made up.

[server]
listen = "{listen}"
shutdown_grace = "2s"

[store]
path = {}

[debounce]
quiet = "300ms"
max_wait = "2s"

[transform]
allowed_hosts = ["{transform}"]
webhook_target = "http://{transform}/webhooks"
tokens = ["{TRANSFORM_TOKEN}"]
timeout = "5s"

[transform.retry]
first = "400ms"
max = "2s"

[transform.breaker]
first = "400ms"
max = "2s"

[integrator]
tokens = ["{STACK_TOKEN}"]
"#,
        toml(&database(folder))
    );
    for (source, profile, secret) in PSPS {
        let own = "ip_ranges = [\"127.0.0.0/8\", \"::1/128\"]";
        text.push_str(&format!("\n[sources.{source}]\nprofile = \"{profile}\"\nsecrets = [\"{secret}\"]\n{own}\n"));
    }
    text
}
