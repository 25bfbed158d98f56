//! The run of the demo: starts the parts, tells the story, and compares Transform's records with the PSPs' truth.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, anyhow, ensure};

use super::config::config;
use super::ledger::Ledger;
use super::outcome::Outcome;
use super::print::Narrator;
use super::relay::Relay;
use super::story;
use super::transform::Transform;
use crate::proof::stop::Stop;
use crate::proof::{Ended, Verdict, folder, stand_in};

/// Plays the demo on a multi-threaded runtime, and tells of it on stdout. The verdict is good if all counts, and
/// Transform's records and the PSPs' truth, agree in the end. With `keep`, or if they do not agree, the folder with the
/// store, the configuration and the log is kept. SIGINT, SIGTERM and SIGHUP stop the demo and its relay.
///
/// # Errors
/// A part of the demo cannot be started, or the relay does not take a registration, or does not tell Transform in time. The
/// folder is kept.
pub async fn play(keep: bool) -> anyhow::Result<Ended> {
    // The signals are heard before there is a relay or a folder.
    let mut stop = Stop::heard().context("cannot listen for signals")?;
    let folder = folder::made(&format!("transform-relay-demo-{:06x}", fastrand::u32(..0x0100_0000)))?;
    let at = format!("the store, the configuration and the log are in {}", folder.display());
    let (relay, good) = tokio::select! {
        played = played(&folder) => played.context(at)?,
        // The relay is killed with the story that is dropped.
        by = stop.asked() => return Ok(Ended::stopped(by, folder, keep)),
    };
    let keep = keep || !good;
    if keep {
        relay.keep(&folder)?;
    } else {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let untold = relay.narrator.next().err();
    let verdict = if good { Verdict::Good } else { Verdict::Bad };
    Ok(Ended { verdict, kept: keep.then_some(folder), untold })
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
