//! The run of the demo: starts the parts, tells the story, and compares Transform's records with the PSPs' truth.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};

use super::config::config;
use super::ledger::Ledger;
use super::outcome::Outcome;
use super::print::Narrator;
use super::relay::Relay;
use super::story;
use super::transform::Transform;
use crate::proof::stand_in;

/// Plays the demo on a multi-threaded runtime, and tells of it on stdout. Returns whether all counts, and Transform's
/// records and the PSPs' truth, agree in the end. With `keep`, or if they do not agree, the folder with the store, the
/// configuration and the log is kept.
///
/// # Errors
/// A part of the demo cannot be started, or the relay does not take a registration, or does not tell Transform in time. The
/// folder is kept.
pub async fn play(keep: bool) -> anyhow::Result<bool> {
    let folder = folder()?;
    let kept = format!("the store, the configuration and the log are in {}", folder.display());
    let (relay, good) = played(&folder).await.context(kept)?;
    if keep || !good {
        relay.keep(&folder)?;
    } else {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    relay.narrator.next();
    Ok(good)
}

/// What is left of a demo that was played.
struct Played {
    narrator: Narrator,
    relay: SocketAddr,
    transform: SocketAddr,
}

impl Played {
    /// Writes the configuration once more, with the address that the relay had, and says what was kept.
    fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        let file = folder.join("relay.toml");
        let text = config(folder, self.relay, self.transform);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        self.narrator.kept(folder, self.relay, story::DIRECT);
        Ok(())
    }
}

async fn played(folder: &Path) -> anyhow::Result<(Played, bool)> {
    let narrator = Narrator::begin();
    let transform = Transform::start(narrator.clone())?;
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let child = stand_in::Relay::new(program, folder, &config(folder, anywhere, transform.address()))?;
    child.start().await?;
    let address = child.address().ok_or_else(|| anyhow!("the relay does not listen"))?;
    transform.reads_from(address);
    narrator.opening(address, transform.address());

    let (relay, mut ledger) = (Relay::new(address)?, Ledger::default());
    story::tell(&relay, &transform, &mut ledger, &narrator).await?;
    relay.until_all_told().await?;
    let said = (relay.verified().await?, relay.attempts().await?);
    let outcome = Outcome::of(relay.count(), transform.webhooks(), said, ledger.compare(&transform.held()));
    let code = child.terminate().await?;
    ensure!(code == Some(0), "SIGTERM ended the relay with exit code {code:?}");
    narrator.closing(&outcome);
    Ok((Played { narrator, relay: address, transform: transform.address() }, outcome.is_good()))
}

/// Makes a folder of the demo's own, with a short name.
fn folder() -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("transform-relay-demo-{:06x}", fastrand::u32(..0x0100_0000)));
    std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
