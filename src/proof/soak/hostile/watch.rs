//! Costs of the strangers: the relay's memory, and its processor time while it should be idle.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::world::World;
use super::stranger::Stranger;
use super::unread;
use crate::proof::stand_in::Relay;

/// The most memory of the relay, in KiB. The defaults allow 64 MiB for bodies, and as much for small bodies and answers over
/// all connections.
const MEMORY_MAX_KIB: u64 = 400 * 1024;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The time for which the idle relay is watched.
const IDLE: Duration = Duration::from_secs(4);
/// The number of windows of [`IDLE`] within which the relay must be idle once. They end before `write_timeout` cuts the
/// clients off.
const WINDOWS: usize = 5;
/// The kernel counts processor time in hundredths of a second.
const TICKS_A_SECOND: u64 = 100;
/// The share of one processor that still counts as idle: one part in this number.
const IDLE_PART: u64 = 4;
/// The text for machines without /proc, which only Linux has.
const NOT_CHECKED: &str = "NOT CHECKED: this machine does not tell";

/// The most memory that the relay had, as far as this machine tells.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The most memory so far, in KiB. 0 if the machine does not tell.
    most_kib: AtomicU64,
}

impl Memory {
    /// Looks now and then until the time is over, and once at its end.
    pub(super) async fn watch(&self, world: &World, relay: &Relay, until: Instant) {
        loop {
            let kib = relay.pid().and_then(memory_kib).unwrap_or_default();
            if self.most_kib.fetch_max(kib, Ordering::Relaxed) <= MEMORY_MAX_KIB && kib > MEMORY_MAX_KIB {
                world.violated(format!("the relay takes {kib} KiB of memory; {MEMORY_MAX_KIB} are the most"));
            }
            if Instant::now() >= until {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The most memory, for people.
    pub(super) fn most(&self) -> String {
        match self.most_kib.load(Ordering::Relaxed) {
            0 => NOT_CHECKED.to_owned(),
            kib => format!("{} MiB", kib / 1024),
        }
    }
}

/// Checks that the relay is idle while clients that pipelined read nothing. Returns its share of a processor.
pub(super) async fn stays_idle(stranger: &Stranger) -> String {
    let held = unread::filled(stranger).await;
    if held.is_empty() {
        stranger.violated("no client could connect, so the relay's idling could not be checked");
    }
    let ticks = || stranger.relay.pid().and_then(ticks);
    let all = IDLE.as_secs() * TICKS_A_SECOND;
    let mut spent = all;
    // On a slow machine the relay still has requests to answer for a while. A relay that polls itself is never idle.
    for _ in 0..WINDOWS {
        let before = ticks();
        sleep(IDLE).await;
        let (Some(before), Some(after)) = (before, ticks()) else { return NOT_CHECKED.to_owned() };
        spent = after.saturating_sub(before);
        if spent <= all / IDLE_PART {
            break;
        }
    }
    drop(held);
    if spent > all / IDLE_PART {
        stranger.violated(format!("with clients that read nothing the relay stays busy: {spent} ticks of {all}"));
    }
    format!("{} % of one processor", spent * 100 / all)
}

/// The resident memory of a process, in KiB.
fn memory_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// The processor time of a process, in the kernel's ticks.
fn ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold any text. After it come the state and eleven numbers before the times.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}
