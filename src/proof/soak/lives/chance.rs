//! Chance from a seed: the same seed gives the same numbers.

use fastrand::Rng;

/// A source of chance numbers.
#[derive(Debug, Clone)]
pub(in crate::proof::soak) struct Chance(Rng);

impl Chance {
    /// The chance of one part of a soak. Parts do not disturb each other.
    pub(in crate::proof::soak) fn of(seed: u64, part: &str, number: u64) -> Self {
        // FNV-1a over the part's name. The generator's seed mixes it further.
        let name = part
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut rng = Rng::with_seed(seed ^ name);
        let mixed = rng.u64(..);
        Self(Rng::with_seed(mixed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// True once in this many times, on average.
    pub(in crate::proof::soak) fn one_in(&mut self, times: u32) -> bool {
        self.0.u32(0..times.max(1)) == 0
    }

    /// A number from `low` to `high`, both included.
    pub(in crate::proof::soak) fn within(&mut self, low: i64, high: i64) -> i64 {
        self.0.i64(low..=high.max(low))
    }

    /// Like [`Self::within`], for waits in milliseconds.
    pub(in crate::proof::soak) fn millis(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high.max(low))
    }

    /// Picks one of these.
    pub(in crate::proof::soak) fn pick<T: Copy + Default>(&mut self, these: &[T]) -> T {
        self.0.choice(these).copied().unwrap_or_default()
    }

    /// A text of this many hexadecimal digits.
    pub(in crate::proof::soak) fn hex(&mut self, digits: usize) -> String {
        std::iter::repeat_with(|| char::from_digit(self.0.u32(0..16), 16).unwrap_or('0')).take(digits).collect()
    }

    /// Puts these into a chance order.
    pub(in crate::proof::soak) fn shuffle<T>(&mut self, these: &mut [T]) {
        self.0.shuffle(these);
    }
}
