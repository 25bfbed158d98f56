//! Latency at half of the saturated rate, beside the cost of an fsync in the same round.
//!
//! The generator sends at fixed times, whatever the answers. A request that had to wait for a free connection counts from its time.

use super::figure::{Figure, Goal, quantile, ratios, sorted};
use super::ingest::Ingested;
use super::load::Load;
use super::relay::Relay;
use super::stage::{Stage, enough, saturated};

/// Measures the latency of ingest at half of the relay's rate.
pub(super) async fn measure(stage: &mut Stage, relay: &Relay, ingested: &mut Ingested) -> anyhow::Result<()> {
    let rate = ingested.rate / 2.0;
    // A long WAL is left where its bytes were counted. The relay shortens it first.
    let before = ingested.notifications.next(enough(rate, stage.round / 5))?;
    ingested.answered += saturated(relay.address, before, stage.round / 5).send().await?.answered;
    let (mut medians, mut tails, mut disk, mut windows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..stage.rounds {
        let already = stage.disk.times.len();
        stage.disk.measure(stage.round / 5)?;
        let fsyncs = sorted(stage.disk.times.get(already..).unwrap_or_default());
        let requests = ingested.notifications.next(enough(rate, stage.round))?;
        let load = Load { rate: Some(rate), ..saturated(relay.address, requests, stage.round) };
        let window = load.send().await?;
        ingested.answered += window.answered;
        let latencies = sorted(&window.latencies);
        let micros = |sorted: &[f64], part| quantile(sorted, part).unwrap_or(f64::NAN) * 1e6;
        medians.push(micros(&latencies, 0.5));
        tails.push(micros(&latencies, 0.99));
        disk.push(micros(&fsyncs, 0.99));
        windows.push(window);
    }
    let name = "p99 of ingest at half of its rate ÷ p99 of an fsync";
    stage.figure(Figure::of("halfP99ToFsyncP99", name, "", &ratios(&tails, &disk)).goal(Goal::AtMost(3.0)));
    stage.figure(Figure::of("halfP99", "  p99 of ingest at half of its rate", "µs", &tails));
    stage.figure(Figure::of("halfMedian", "  its median", "µs", &medians));
    stage.warn_of_generator("latency", &windows);
    Ok(())
}
