//! `demo`: the main job in one command. A relay on a temporary store, a stand-in for Transform and two PSPs that sign
//! play a believable story. At the end, Transform's records are compared with the PSPs' truth.

#![expect(clippy::indexing_slicing, reason = "indexing JSON values cannot panic: the stage knows their shapes")]

mod ledger;
mod print;
mod psp;
mod relay;
mod story;
mod transform;

use crate::cli::say;
use std::process::ExitCode;

use self::ledger::Ledger;
use self::print::Narrator;
use self::relay::Relay;
use self::transform::Transform;

pub(super) fn run() -> ExitCode {
    let narrator = Narrator::begin();
    let played = super::serve::runtime().and_then(|runtime| runtime.block_on(play(&narrator)));
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
