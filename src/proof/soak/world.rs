//! The shared state of a soak: violations, counts, faults under way, and the time until Transform is told of changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::proof::lock::lock;
use crate::proof::stand_in::Key;
use crate::proof::tell::tell;

/// The shared state of a soak.
#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) folder: PathBuf,
    pub(super) began: Instant,
    pub(super) count: Count,
    violations: Mutex<Violations>,
    weather: Mutex<Weather>,
    told: Mutex<Told>,
}

/// How often things happened.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) lives: AtomicU64,
    pub(super) registrations: AtomicU64,
    /// Attempts to send a notification that is signed well.
    pub(super) sent: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    /// Notifications that were acknowledged again.
    pub(super) repeated: AtomicU64,
    /// Forged notifications that were answered 401.
    pub(super) refused: AtomicU64,
    pub(super) broken_off: AtomicU64,
    /// Attempts without an answer, or with 5xx. They are repeated.
    pub(super) unanswered: AtomicU64,
    pub(super) webhooks: AtomicU64,
    pub(super) fetches: AtomicU64,
    /// Webhooks answered 2xx.
    pub(super) told: AtomicU64,
    /// Steps under way.
    pub(super) open: AtomicUsize,
}

/// Adds one to a count.
pub(super) fn one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// The value of a count.
pub(super) fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[derive(Debug, Default)]
struct Violations {
    lines: Vec<String>,
    count: usize,
}

/// The most violations that are kept for the list at the end.
const VIOLATIONS_MAX: usize = 50;

/// The faults under way, and how often each fault was played.
#[derive(Debug, Default)]
struct Weather {
    troubles: usize,
    /// The end of the last fault. `None` while a fault is under way.
    calm_since: Option<Instant>,
    faults: BTreeMap<&'static str, u64>,
}

/// Changes that Transform has yet to hear of, and the times of earlier changes.
#[derive(Debug, Default)]
struct Told {
    waiting: BTreeMap<Key, Instant>,
    calm: Vec<Duration>,
    all: Vec<Duration>,
    /// The longest wait and its record.
    longest: (Duration, Key),
}

/// The times from a change to its telling: median and worst, in calm (without a fault meanwhile) and over all.
#[derive(Debug, Clone, Default)]
pub(super) struct Latency {
    pub(super) calm: Option<(Duration, Duration)>,
    pub(super) all: Option<(Duration, Duration)>,
    /// The Transform id of the record that waited longest.
    pub(super) longest: String,
}

impl World {
    pub(super) fn new(seed: u64, folder: PathBuf) -> Self {
        let now = Instant::now();
        let weather = Weather { calm_since: Some(now), ..Weather::default() };
        let (violations, told) = (Mutex::default(), Mutex::default());
        Self { seed, folder, began: now, count: Count::default(), violations, weather: Mutex::new(weather), told }
    }

    /// Notes a violation, and prints it.
    pub(super) fn violated(&self, what: String) {
        let mut violations = lock(&self.violations);
        violations.count += 1;
        tell(format_args!("  VIOLATION at {:.1} s: {what}", self.began.elapsed().as_secs_f64()));
        if violations.lines.len() < VIOLATIONS_MAX {
            violations.lines.push(what);
        }
    }

    /// The number of violations, and the first of them.
    pub(super) fn violations(&self) -> (usize, Vec<String>) {
        let violations = lock(&self.violations);
        (violations.count, violations.lines.clone())
    }

    /// Notes that a played fault begins.
    pub(super) fn trouble_begins(&self, what: &'static str) {
        let mut weather = lock(&self.weather);
        weather.troubles += 1;
        weather.calm_since = None;
        *weather.faults.entry(what).or_default() += 1;
    }

    /// Notes that a played fault ends.
    pub(super) fn trouble_ends(&self) {
        let mut weather = lock(&self.weather);
        weather.troubles = weather.troubles.saturating_sub(1);
        if weather.troubles == 0 {
            weather.calm_since = Some(Instant::now());
        }
    }

    /// Each fault and how often it was played.
    pub(super) fn faults(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.weather).faults.clone()
    }

    /// Notes that a record changed, as the answer to a notification says.
    pub(super) fn changed(&self, key: &Key) {
        lock(&self.told).waiting.entry(key.clone()).or_insert_with(Instant::now);
    }

    /// Notes that Transform was told of a record, and read it.
    pub(super) fn told(&self, key: &Key) {
        let calm_since = lock(&self.weather).calm_since;
        let mut told = lock(&self.told);
        let Some(since) = told.waiting.remove(key) else { return };
        let took = since.elapsed();
        told.all.push(took);
        if took > told.longest.0 {
            told.longest = (took, key.clone());
        }
        if calm_since.is_some_and(|calm| calm <= since) {
            told.calm.push(took);
        }
    }

    pub(super) fn latency(&self) -> Latency {
        let told = lock(&self.told);
        let longest = told.longest.1.1.clone();
        Latency { calm: median_and_worst(&told.calm), all: median_and_worst(&told.all), longest }
    }
}

fn median_and_worst(these: &[Duration]) -> Option<(Duration, Duration)> {
    let mut sorted = these.to_vec();
    sorted.sort_unstable();
    Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
}
