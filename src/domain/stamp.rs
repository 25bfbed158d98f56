//! Stamps: the time of a fact as a total order. They make the result of events independent of their order of arrival.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Decides between two facts about the same thing: the fact with the greater stamp stands.
///
/// The PSP's event time decides first. The rank of the state decides second, since many PSPs write whole seconds. The
/// event's own key decides last: even two facts of equal rank in one second end the same way in any order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The PSP's time of the event.
    pub at: Timestamp,
    /// The rank of the state that the event names; a greater rank is later in a record's life.
    pub rank: u8,
    /// The event's dedupe key: arbitrary, but the same in every order of arrival.
    pub tie: String,
}

/// A fact and the time at which it was true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamped<T> {
    /// The time.
    pub stamp: Stamp,
    /// The fact.
    pub value: T,
}

/// The result of writing one stamped fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The fact was newer and stands now.
    Newer,
    /// The same event had written the fact before.
    Same,
    /// A newer fact stands.
    Older,
}

/// Writes a fact unless the same or a newer one stands.
pub fn write<T>(slot: &mut Option<Stamped<T>>, stamp: &Stamp, value: T) -> Written {
    let written = slot.as_ref().map_or(Written::Newer, |old| match stamp.cmp(&old.stamp) {
        std::cmp::Ordering::Greater => Written::Newer,
        std::cmp::Ordering::Equal => Written::Same,
        std::cmp::Ordering::Less => Written::Older,
    });
    if written == Written::Newer {
        *slot = Some(Stamped { stamp: stamp.clone(), value });
    }
    written
}

/// Writes a fact under its name, unless the same or a newer one stands there.
pub fn write_in<T: Clone>(slots: &mut BTreeMap<String, Stamped<T>>, name: &str, stamp: &Stamp, value: &T) -> Written {
    let mut slot = slots.remove(name);
    let written = write(&mut slot, stamp, value.clone());
    if let Some(kept) = slot {
        slots.insert(name.to_owned(), kept);
    }
    written
}

/// Keeps the newer of two facts.
pub fn join<T>(slot: &mut Option<Stamped<T>>, other: Option<Stamped<T>>) {
    if let Some(other) = other {
        write(slot, &other.stamp.clone(), other.value);
    }
}

/// Keeps the newer fact under each name.
pub fn join_all<T: Clone>(slots: &mut BTreeMap<String, Stamped<T>>, others: BTreeMap<String, Stamped<T>>) {
    for (name, other) in others {
        write_in(slots, &name, &other.stamp, &other.value);
    }
}
