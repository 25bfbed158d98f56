//! The moments at which the power is cut: most of them where something is being synced, or brought from the WAL into the
//! store.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::recording::{Act, Recording};

/// A power cut, after so many acts. The seed decides what the disk has then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cut {
    pub(super) acts: usize,
    pub(super) seed: u64,
}

/// So many cuts of a recording, in its order.
pub(super) fn chosen(recording: &Recording, number: usize, random: &mut Rng) -> Vec<Cut> {
    let places = Places::of(recording);
    let mut cuts: Vec<_> = (0..number).map(|n| Cut { acts: places.of_cut(n, random), seed: random.u64(..) }).collect();
    cuts.sort();
    cuts
}

/// Numbers of acts.
struct Places {
    before_syncs: Vec<usize>,
    /// Writes into the store itself: SQLite brings there what the WAL has.
    into_the_store: Vec<usize>,
    all: usize,
}

impl Places {
    fn of(recording: &Recording) -> Self {
        let store: BTreeSet<u64> = recording.inodes("relay.db");
        let places = |is: &dyn Fn(&Act) -> bool| {
            let acts = recording.acts.iter().zip(0..).filter(|(one, _)| is(&one.act));
            acts.map(|(_, place)| place).collect()
        };
        Self {
            before_syncs: places(&|act| matches!(act, Act::Synced { .. } | Act::FolderSynced { .. })),
            into_the_store: places(&|act| matches!(act, Act::Written { file, .. } if store.contains(file))),
            all: recording.acts.len(),
        }
    }

    /// Three of eight cuts come just before the end of a sync, one just after it: each sync has its turn. Two come while
    /// the store is written, and two at any time.
    fn of_cut(&self, n: usize, random: &mut Rng) -> usize {
        let (round, turn) = (n / 8, n % 8);
        let sync = |n: usize| self.before_syncs.get(n.checked_rem(self.before_syncs.len())?).copied();
        let chosen = match turn {
            0..3 => sync(3 * round + turn),
            3 => sync(round).map(|place| place + 1),
            4 | 5 => random.choice(&self.into_the_store).map(|place| place + 1),
            _ => None,
        };
        chosen.unwrap_or_else(|| random.usize(0..=self.all))
    }
}
