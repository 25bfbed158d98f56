//! The relay at rest: its start, its idle cost, its size.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::figure::{Figure, Goal};
use super::process::{self, Cpu};
use super::relay::Relay;
use super::stage::Stage;

/// The time after a start until the relay is at rest.
const SETTLES: Duration = Duration::from_millis(500);

/// Measures the start and the rest of a relay whose store has what the rounds before have left.
pub(super) async fn measure(stage: &mut Stage, relay: &Relay) -> anyhow::Result<()> {
    let (mut starts, mut shares, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..stage.rounds {
        relay.stop().await?;
        let began = Instant::now();
        relay.child.start().await?;
        starts.push(began.elapsed().as_secs_f64() * 1e3);
        let pid = relay.pid()?;
        sleep(SETTLES).await;
        let (before, since) = (Cpu::of(pid), Instant::now());
        sleep(stage.round).await;
        let used = Cpu::of(pid).zip(before).map(|(now, before)| now.since(before).whole);
        shares.extend(used.map(|used| used.as_secs_f64() / since.elapsed().as_secs_f64()));
        memory.extend(process::memory(pid).map(|bytes| bytes as f64 / 1e6));
    }
    let size = std::fs::metadata(&stage.program)?.len() as f64 / 1e6;
    for figure in [
        Figure::of("idleCpu", "idle: share of a processor", "", &shares).goal(Goal::AtMost(0.005)),
        Figure::of("idleMemory", "  memory (RSS)", "MB", &memory).goal(Goal::AtMost(40.0)),
        Figure::of("binary", "size of the program", "MB", &[size]).goal(Goal::AtMost(20.0)),
        Figure::of("coldStart", "from the start of the process until it listens", "ms", &starts)
            .goal(Goal::AtMost(100.0)),
    ] {
        stage.figure(figure);
    }
    Ok(())
}
