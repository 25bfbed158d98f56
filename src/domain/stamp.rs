//! When a fact was true, as a total order: what makes applying events free of their order of arrival.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Decides between two facts about the same thing: the greater stamp stands.
///
/// The PSP's event time decides first, the rank of the state second (many PSPs write whole seconds), and the
/// event's own key last, so that even two equal-ranked facts of one second end the same way in any order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The PSP's time of the event.
    pub at: Timestamp,
    /// The rank of the state that the event speaks of; greater is later in a life.
    pub rank: u8,
    /// The event's dedupe key: arbitrary, but the same in every order.
    pub tie: String,
}

/// A fact and when it was true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamped<T> {
    /// When.
    pub stamp: Stamp,
    /// What.
    pub value: T,
}

/// What writing one stamped fact did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The fact was newer and stands now.
    Newer,
    /// This very event had written it before.
    Same,
    /// A newer fact stands.
    Older,
}

/// Writes a fact where none or an older one stands.
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
