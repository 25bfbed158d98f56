//! Slots of hints: the limited room for objects that only strangers have named, shared between their addresses.

/// The numbers of slots of a source: so many objects that only strangers have named may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HintSlots {
    /// In all.
    pub all: u32,
    /// Of one address; for IPv6, of one network.
    pub each: u32,
}

/// The numbers of taken slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotsTaken {
    /// By everybody.
    pub all: u32,
    /// By the address of the new hint.
    pub own: u32,
    /// By the address with most slots.
    pub most: u32,
}

/// The answer to an object that needs a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// A free slot.
    Free,
    /// A slot of the address with most slots, which loses it.
    Displacing,
    /// No slot: the address has as many as one address may have.
    AddressFull,
    /// No slot: all are taken, and no address has so many that it loses one.
    Full,
}

/// An address with at most one in `SAFE_PART` of its limit loses no slot: so few are no flood.
const SAFE_PART: u32 = 10;

impl HintSlots {
    /// Decides whether one more object of an address gets a slot. Once all are taken, an address with few slots gets
    /// one from the address with most. A flood thus takes its slots from its own senders.
    #[must_use]
    pub fn admit(self, taken: SlotsTaken) -> Admission {
        let safe = (self.each.min(self.all) / SAFE_PART).max(taken.own.saturating_add(1));
        if taken.own >= self.each {
            Admission::AddressFull
        } else if taken.all < self.all {
            Admission::Free
        } else if taken.most > safe {
            Admission::Displacing
        } else {
            Admission::Full
        }
    }

    /// Whether more than half of all slots, or of the slots of one address, are taken. An object that the PSP does not know
    /// then keeps no slot.
    #[must_use]
    pub const fn scarce(self, all: u32, own: u32) -> bool {
        all > self.all / 2 || own > self.each / 2
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn sum(table: &BTreeMap<u8, u32>) -> u32 {
        table.values().sum()
    }

    fn most(table: &BTreeMap<u8, u32>) -> (u8, u32) {
        table.iter().map(|(address, held)| (*address, *held)).max_by_key(|(_, held)| *held).unwrap_or_default()
    }

    proptest! {
        /// Objects of many addresses come, and now and then one is fetched and leaves its slot.
        #[test]
        fn a_flood_takes_its_slots_from_its_own_senders(
            all in 1_u32..40,
            each in 1_u32..40,
            steps in prop::collection::vec((0_u8..12, prop::bool::weighted(0.9)), 0..400),
        ) {
            let slots = HintSlots { all, each };
            let mut table: BTreeMap<u8, u32> = BTreeMap::new();
            for (address, comes) in steps {
                let own = table.get(&address).copied().unwrap_or_default();
                if !comes {
                    table.insert(address, own.saturating_sub(1));
                    continue;
                }
                let (largest, held) = most(&table);
                let admission = slots.admit(SlotsTaken { all: sum(&table), own, most: held });
                match admission {
                    Admission::Free => *table.entry(address).or_default() += 1,
                    Admission::Displacing => {
                        prop_assert_eq!(sum(&table), all);
                        prop_assert_ne!(address, largest);
                        *table.get_mut(&largest).unwrap() -= 1;
                        *table.entry(address).or_default() += 1;
                        prop_assert!(table[&largest] >= table[&address], "the loser has no fewer than the winner");
                        prop_assert!(
                            table[&largest] >= (each.min(all) / SAFE_PART).max(1),
                            "an address with few slots loses none"
                        );
                    }
                    Admission::AddressFull => prop_assert_eq!(own, each),
                    Admission::Full => {
                        prop_assert_eq!(sum(&table), all);
                        prop_assert!(held <= (own + 1).max(each.min(all) / SAFE_PART), "nobody has too many");
                    }
                }
                prop_assert!(sum(&table) <= all);
                prop_assert!(table.values().all(|held| *held <= each));
            }
        }

        /// However one address floods, another one gets in.
        #[test]
        fn one_address_keeps_nobody_out(all in 2_u32..1000, each in 1_u32..1000, flood in 0_u32..2000) {
            let slots = HintSlots { all, each };
            let mut held = 0;
            for _ in 0..flood {
                if slots.admit(SlotsTaken { all: held, own: held, most: held }) == Admission::Free {
                    held += 1;
                }
            }
            let admission = slots.admit(SlotsTaken { all: held, own: 0, most: held });
            prop_assert!(matches!(admission, Admission::Free | Admission::Displacing), "{:?}", admission);
        }
    }

    #[test]
    fn slots_are_scarce_once_half_of_them_are_taken() {
        let slots = HintSlots { all: 100, each: 10 };
        assert!(!slots.scarce(50, 5));
        assert!(slots.scarce(51, 0));
        assert!(slots.scarce(6, 6));
        assert!(HintSlots { all: 1, each: 1 }.scarce(1, 1));
    }
}
