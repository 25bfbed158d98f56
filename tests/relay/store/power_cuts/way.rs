//! The ways in which a disk has some of the changes that were not synced.

use fastrand::Rng;

/// Which of the changes that were not synced have reached the disk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Nothing,
    Everything,
    /// About every second change.
    Some,
    /// Some sectors of some changes, so many of 256.
    Torn(u8),
    /// The changes before this one, and a part of it.
    First(usize),
    /// The changes from this one on: the order was turned around.
    Last(usize),
}

impl Way {
    /// A way for so many changes.
    pub(super) fn any(random: &mut Rng, changes: usize) -> Self {
        match random.u8(0..8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 => Self::Some,
            3 | 4 => Self::Torn(random.u8(..)),
            5 | 6 => Self::First(random.usize(..=changes)),
            _ => Self::Last(random.usize(..=changes)),
        }
    }

    /// Whether the n-th change is there.
    pub(super) fn has(self, n: usize, random: &mut Rng) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Some | Self::Torn(_) => random.bool(),
            Self::First(end) => n < end,
            Self::Last(begin) => n >= begin,
        }
    }

    /// Whether a sector of the n-th change is there, if the change is torn.
    pub(super) fn has_sector(self, n: usize, random: &mut Rng) -> Option<bool> {
        match self {
            Self::Torn(share) => Some(random.u8(..) < share),
            Self::First(end) if n == end => Some(random.bool()),
            _ => None,
        }
    }
}
