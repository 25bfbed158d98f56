//! The run of a bench: starts the parts, measures one thing after the other, and reports.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::time::timeout;

use super::asked::Asked;
use super::contender::Contenders;
use super::disk::Disk;
use super::figure::Figure;
use super::machine::Machine;
use super::relay::{Options, Relay};
use super::report::Report;
use super::stage::Stage;
use super::told::Telling;
use super::{full, half, ingest, moods, print, rest, routes, wal};
use crate::proof::stop::Stop;
use crate::proof::{Ended, Verdict, folder};

/// A port at which nobody listens: nobody is told while ingest is measured.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// The longest time between the effect of a signal on the children and its coming.
const SIGNAL_MAX: Duration = Duration::from_secs(1);

/// Measures the relay on a multi-threaded runtime, and prints the figures on stdout. The verdict is good if all counts agree. No
/// figure is a reason for a bad one. SIGINT, SIGTERM and SIGHUP stop the bench and all its processes.
///
/// # Errors
/// A part of the bench cannot be started, or a contender answers wrongly. The folder is kept.
pub async fn bench(asked: Asked) -> anyhow::Result<Ended> {
    // The signals are heard before there is a process or a folder.
    let mut stop = Stop::heard().context("cannot listen for signals")?;
    let folder = folder::made(&format!("transform-relay-bench-{}", uuid::Uuid::now_v7()))?;
    let at = format!("the stores, the configurations and the logs are in {}", folder.display());
    let ended = tokio::select! {
        biased;
        // All processes are killed with the measurement that is dropped.
        by = stop.asked() => Err(by),
        measured = measured(&asked, folder.clone()) => match measured {
            Ok(report) => Ok(Ok(report)),
            // A signal to the whole group ends the children, and may reach this process after them.
            Err(error) => timeout(SIGNAL_MAX, stop.asked()).await.map_or(Ok(Err(error)), Err),
        },
    };
    let report = match ended {
        Ok(measured) => measured.context(at)?,
        Err(by) => return Ok(Ended::stopped(by, folder, false)),
    };
    let good = report.wrong().is_empty();
    let untold = print::closing(&report).err();
    if let Some(file) = &asked.json {
        report.write(file)?;
    }
    if good {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let verdict = if good { Verdict::Good } else { Verdict::Bad };
    Ok(Ended { verdict, kept: (!good).then_some(folder), untold })
}

async fn measured(asked: &Asked, folder: PathBuf) -> anyhow::Result<Report> {
    let machine = Machine::of(&folder);
    let warnings = machine.warnings();
    let (at, seconds) = (Timestamp::now(), asked.seconds);
    let report = Report { at, seconds, machine, figures: Vec::new(), counts: Vec::new(), warnings };
    print::opening(&report);
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let round = Duration::from_secs_f64(seconds);
    let disk = Disk::new(&folder).context("cannot write to the disk")?;
    let mut stage = Stage { folder, program, round, rounds: asked.rounds, disk, report };
    let contenders = Contenders::start(&stage.program, &stage.folder).await?;
    print::step("ingest");
    let silent = Options::silent(NOBODY);
    let relay = Relay::start(&stage.program, stage.folder.join("ingest"), silent, ingest::RECORDS).await?;
    let mut ingested = ingest::measure(&mut stage, &relay, &contenders).await?;
    print::step("bytes of the WAL");
    wal::measure(&mut stage, &relay, &mut ingested).await?;
    print::step("latency at half of the rate");
    half::measure(&mut stage, &relay, &mut ingested).await?;
    if asked.quick {
        fsync(&mut stage);
        return Ok(stage.report);
    }
    print::step("reads and registrations");
    let ingested = routes::measure(&mut stage, &relay, &contenders, ingested).await?;
    let stored = relay.counted("SELECT count(*) FROM notifications")?;
    stage.count("all notifications that the relay answered, and keeps", ingested.answered, stored);
    print::step("delivery");
    Telling::start(&stage, ingested.rate).await?.measure(&mut stage).await?;
    print::step("ingest beside a Transform that is dead or hangs");
    moods::measure(&mut stage, ingested.rate).await?;
    print::step("rest");
    rest::measure(&mut stage, &relay).await?;
    if let Some(records) = asked.full {
        print::step("a store with many rows");
        full::measure(&mut stage, records).await?;
    }
    fsync(&mut stage);
    Ok(stage.report)
}

/// The cost of an fsync, over all rounds.
fn fsync(stage: &mut Stage) {
    let times = super::figure::sorted(&stage.disk.times);
    let micros = |part| super::figure::quantile(&times, part).map(|time| time * 1e6).into_iter().collect::<Vec<_>>();
    stage.figure(Figure::of("fsyncMedian", "an fsync on this disk, median", "µs", &micros(0.5)));
    stage.figure(Figure::of("fsyncP99", "an fsync on this disk, 99th percentile", "µs", &micros(0.99)));
}
