//! Tally of log lines that strangers can cause without end: lines are logged one by one, but in a flood they are counted and
//! the count is logged. **Pure**, but for a lock.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::due::later;

/// The number of events of a kind that are logged one by one in a window.
pub const ONE_BY_ONE: u64 = 20;
/// The window; further events in it are summed up.
pub const WINDOW: Duration = Duration::from_secs(60);
/// The interval between two checks for ended windows.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The most kinds that are told apart, some hundred kilobytes.
pub const KINDS_MAX: usize = 1_000;

/// Counts by kind.
#[derive(Debug)]
pub struct Tally<K>(Mutex<HashMap<K, Count>>);

#[derive(Debug, Default)]
struct Count {
    /// The count since the start.
    all: u64,
    /// The end of the window and the count in it; none if the last window has ended.
    window: Option<(Timestamp, u64)>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Ord + Clone> Tally<K> {
    /// Counts one event of this kind, or of the kind `others` if there are too many kinds. Returns whether the event gets a
    /// line of its own.
    pub fn is_told(&self, kind: K, others: impl FnOnce(K) -> K, now: Timestamp) -> bool {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_one_too_many = kinds.len() >= KINDS_MAX && !kinds.contains_key(&kind);
        let count = kinds.entry(if is_one_too_many { others(kind) } else { kind }).or_default();
        count.all = count.all.saturating_add(1);
        let (_, in_window) = count.window.get_or_insert_with(|| (later(now, WINDOW), 0));
        *in_window = in_window.saturating_add(1);
        *in_window <= ONE_BY_ONE
    }

    /// The kinds with events that got no line, in windows that have ended, and the number of such events. At the end of the
    /// process all windows end.
    pub fn untold(&self, now: Option<Timestamp>) -> Vec<(K, u64)> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut untold = Vec::new();
        for (kind, count) in kinds.iter_mut() {
            if let Some((until, in_window)) = count.window
                && now.is_none_or(|now| until <= now)
            {
                count.window = None;
                if in_window > ONE_BY_ONE {
                    untold.push((kind.clone(), in_window.saturating_sub(ONE_BY_ONE)));
                }
            }
        }
        untold.sort();
        untold
    }

    /// The number of events of each kind since the start.
    pub fn all(&self) -> Vec<(K, u64)> {
        let kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.iter().map(|(kind, count)| (kind.clone(), count.all)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn is_told(tally: &Tally<String>, kind: &str, second: i64) -> bool {
        tally.is_told(kind.to_owned(), |_| "others".to_owned(), at(second))
    }

    fn pair(kind: &str, count: u64) -> (String, u64) {
        (kind.to_owned(), count)
    }

    #[test]
    fn the_first_of_a_kind_are_told_and_the_others_are_summed_up_when_the_window_ends() {
        let tally = Tally::default();
        assert_eq!((0..1_000).filter(|_| is_told(&tally, "a", 0)).count(), 20);
        assert!(is_told(&tally, "b", 0), "another kind");
        assert_eq!(tally.untold(Some(at(59))), []);
        assert_eq!(tally.untold(Some(at(60))), [pair("a", 980)]);
        assert_eq!(tally.untold(Some(at(60))), [], "once");
        assert!(is_told(&tally, "a", 61), "a new window");
    }

    /// No check happens at the very moment at which a window ends.
    #[test]
    fn what_comes_between_the_end_of_a_window_and_the_look_at_it_counts_too() {
        let tally = Tally::default();
        for second in 0..70 {
            is_told(&tally, "a", second);
        }
        assert_eq!(tally.untold(Some(at(70))), [pair("a", 50)]);
        assert_eq!((0..21).filter(|_| is_told(&tally, "a", 71)).count(), 20);
        assert_eq!(tally.untold(None), [pair("a", 1)], "at the end");
        assert_eq!(tally.all(), [pair("a", 91)]);
    }

    #[test]
    fn the_table_does_not_grow() {
        let tally = Tally::default();
        for kind in 0..5_000 {
            is_told(&tally, &kind.to_string(), 0);
        }
        assert_eq!(tally.all().len(), KINDS_MAX + 1);
        assert_eq!(tally.untold(None), [pair("others", 3_980)]);
    }
}
