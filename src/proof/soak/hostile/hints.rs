//! Attack: hints at made-up objects, with a PSP's API that knows none of them.

use std::net::SocketAddr;

use super::super::lives::Chance;
use super::stranger::Stranger;

pub(super) const MOLLIE: &str = "strangers-mollie";
/// The number of hints in one round.
const HINTS: usize = 20;

pub(super) fn config(api: SocketAddr) -> String {
    format!(
        "\n[sources.{MOLLIE}]\nprofile = \"mollie\"\nfetch = {{ base_url = \"http://{api}\", token = \"soak-api-key\" }}\n"
    )
}

/// Sends hints at objects that do not exist. They may be taken or refused. The relay asks the API for each taken hint, and
/// after a 404 it asks again while most slots are free.
pub(super) async fn round(stranger: &Stranger, mut chance: Chance) {
    for _ in 0..HINTS {
        let Some(url) = stranger.url(&format!("/notifications/{MOLLIE}")) else { return };
        let request = stranger.client.post(url).header("Content-Type", "application/x-www-form-urlencoded");
        let sent = request.body(format!("id=tr_{}", chance.hex(10))).send().await;
        if let Ok(response) = sent
            && !matches!(response.status().as_u16(), 200..300 | 401 | 429 | 503)
        {
            stranger.violated(format!("a made-up hint is answered {}", response.status()));
        }
    }
}
