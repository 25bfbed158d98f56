//! What all parts of a soak share: what was seen to be wrong, how things stand, how long telling took.

use crate::cli::output::tell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A record: type code and Transform id.
pub(super) type Key = (u8, String);

/// The soak's surroundings.
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
    /// Acknowledged again.
    pub(super) repeated: AtomicU64,
    /// Forged, and answered 401.
    pub(super) refused: AtomicU64,
    pub(super) broken_off: AtomicU64,
    /// No answer, or 5xx; sent again.
    pub(super) unanswered: AtomicU64,
    pub(super) webhooks: AtomicU64,
    pub(super) fetches: AtomicU64,
    /// Webhooks answered 2xx.
    pub(super) told: AtomicU64,
    /// Steps under way.
    pub(super) open: AtomicUsize,
}

/// Counts one.
pub(super) fn one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// How much was counted.
pub(super) fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[derive(Debug, Default)]
struct Violations {
    lines: Vec<String>,
    count: usize,
}

/// So many violations are printed.
const VIOLATIONS_MAX: usize = 50;

/// Whether anything is wrong on purpose, by what was wrong how often.
#[derive(Debug, Default)]
struct Weather {
    troubles: usize,
    calm_since: Option<Instant>,
    faults: BTreeMap<&'static str, u64>,
}

/// Changes that Transform has yet to hear of, and how long others took.
#[derive(Debug, Default)]
struct Told {
    waiting: BTreeMap<Key, Instant>,
    calm: Vec<Duration>,
    all: Vec<Duration>,
    /// Which record waited longest.
    longest: (Duration, Key),
}

/// How long telling took: median and worst, in calm and over all.
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

    /// Something that must not be.
    pub(super) fn violated(&self, what: String) {
        let mut violations = lock(&self.violations);
        violations.count += 1;
        tell(format_args!("  VIOLATION at {:.1} s: {what}", self.began.elapsed().as_secs_f64()));
        if violations.lines.len() < VIOLATIONS_MAX {
            violations.lines.push(what);
        }
    }

    /// How many violations there were, and the first of them.
    pub(super) fn violations(&self) -> (usize, Vec<String>) {
        let violations = lock(&self.violations);
        (violations.count, violations.lines.clone())
    }

    /// Trouble begins that is meant.
    pub(super) fn trouble_begins(&self, what: &'static str) {
        let mut weather = lock(&self.weather);
        weather.troubles += 1;
        weather.calm_since = None;
        *weather.faults.entry(what).or_default() += 1;
    }

    /// And ends.
    pub(super) fn trouble_ends(&self) {
        let mut weather = lock(&self.weather);
        weather.troubles = weather.troubles.saturating_sub(1);
        if weather.troubles == 0 {
            weather.calm_since = Some(Instant::now());
        }
    }

    /// Each fault and how often it was.
    pub(super) fn faults(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.weather).faults.clone()
    }

    /// A record changed, as the answer to a notification says.
    pub(super) fn changed(&self, key: &Key) {
        lock(&self.told).waiting.entry(key.clone()).or_insert_with(Instant::now);
    }

    /// Transform has heard of a record, and read it.
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

/// A lock that a panic elsewhere does not spoil.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
