//! The run of the demo: starts the parts, tells the story, and compares Transform's records with the PSPs' truth.

use super::ledger::Ledger;
use super::print::Narrator;
use super::relay::Relay;
use super::story;
use super::transform::Transform;

/// Plays the demo on a multi-threaded runtime, and tells of it on stdout. Returns whether Transform's records agree with the
/// PSPs' truth in the end.
///
/// # Errors
/// A part of the demo cannot be started, or the relay takes a request that it must not take, or refuses another.
pub async fn play() -> anyhow::Result<bool> {
    let narrator = &Narrator::begin();
    let transform = Transform::start(narrator.clone())?;
    let relay = Relay::start(transform.address()).await?;
    transform.reads_from(relay.address());
    narrator.opening(relay.address(), transform.address());
    let mut ledger = Ledger::default();
    story::tell(&relay, &transform, &mut ledger, narrator).await?;
    relay.until_all_told().await?;
    let held = transform.held();
    let disagreements = ledger.compare(&held);
    narrator.closing(&relay.count(), transform.webhooks(), &held, &disagreements);
    relay.stop().await?;
    Ok(disagreements.is_empty())
}
