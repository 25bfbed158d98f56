//! What all measurements share: the folder, the length of a round, the disk, and the report.

use std::path::PathBuf;
use std::time::Duration;

use super::disk::Disk;
use super::figure::Figure;
use super::load::{Load, Window};
use super::report::{Count, Report};

/// The connections of a saturated round.
pub(super) const CONNECTIONS: usize = 64;
/// The generator's share of a processor from which on it may be the limit.
const LIMIT: f64 = 0.8;

/// The stage of a bench.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    /// The path of this program.
    pub(super) program: PathBuf,
    /// The length of a round.
    pub(super) round: Duration,
    /// The rounds of each contestant.
    pub(super) rounds: usize,
    pub(super) disk: Disk,
    pub(super) report: Report,
}

impl Stage {
    pub(super) fn figure(&mut self, figure: Figure) {
        self.report.figures.push(figure);
    }

    pub(super) fn count(&mut self, what: &'static str, here: usize, there: usize) {
        self.report.counts.push(Count { what, here, there });
    }

    /// Warns if the generator may have been the limit of these rounds.
    pub(super) fn warn_of_generator(&mut self, whose: &str, windows: &[Window]) {
        let shares: Vec<_> = windows.iter().filter_map(Window::own_share).collect();
        let over = shares.iter().filter(|share| **share > LIMIT).count();
        if over > 0 {
            self.report.warnings.push(format!(
                "the load generator may have been the limit for {whose}: it used more than {LIMIT} of a processor in {over} of \
                 {} rounds, so the real figure is higher",
                windows.len()
            ));
        }
    }
}

/// As many requests as this rate takes in a round, and half of that more.
pub(super) fn enough(rate: f64, round: Duration) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of requests")]
    let many = (rate * round.as_secs_f64() * 1.5) as usize;
    many + 500
}

/// A saturated load for a round: each connection sends when it has its answer.
pub(super) fn saturated(address: std::net::SocketAddr, requests: super::wire::Requests, lasts: Duration) -> Load {
    Load { address, requests, connections: CONNECTIONS, lasts, again: false, rate: None }
}
