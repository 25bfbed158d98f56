//! The run of the demo: starts the parts, tells the story, and compares Transform's records with the PSPs' truth.

use std::process::ExitCode;

use super::ledger::Ledger;
use super::print::Narrator;
use super::relay::Relay;
use super::story;
use super::transform::Transform;
use crate::cli::output::say;
use crate::cli::serve;

pub(in crate::cli) fn run() -> ExitCode {
    let narrator = Narrator::begin();
    let played = serve::runtime().and_then(|runtime| runtime.block_on(play(&narrator)));
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("the demo broke off: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn play(narrator: &Narrator) -> anyhow::Result<bool> {
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
