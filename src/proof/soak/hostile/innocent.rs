//! An innocent client beside the strangers: it must be answered all the time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::stranger::Stranger;

/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(200);
/// The wait for an answer above which the client counts as kept out. A slow machine alone does not reach it.
const LONGEST: Duration = Duration::from_secs(20);

/// Sends requests, each on a connection of its own, until the time is over.
pub(super) async fn asks(stranger: &Stranger, until: Instant) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(LONGEST).build()?;
    while Instant::now() < until {
        let Some(url) = stranger.url("/healthz") else { return Ok(()) };
        let asked = Instant::now();
        match client.get(url).send().await.map(|answer| answer.status().as_u16()) {
            Ok(200) => {
                let took = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
                stranger.done.longest_ms.fetch_max(took.max(1), Ordering::Relaxed);
            }
            Ok(status) => stranger.violated(format!("beside the strangers an innocent client is answered {status}")),
            Err(error) => {
                stranger.violated(format!("beside the strangers an innocent client is not answered: {error}"))
            }
        }
        sleep(PAUSE).await;
    }
    Ok(())
}
