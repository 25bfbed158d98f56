//! Running totals: what a PSP states of several bookings, or of several refunds, in one number. The part of a total that no
//! booking or refund of its own explains counts as one more of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contradiction::{BOOKINGS_MAX, Contradiction};
use super::stamp::{Stamp, Stamped, Written};

/// The bookings that a running total adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TotalOf {
    /// The bookings of a payment, such as all that was captured.
    Items,
    /// The refunds of a payment.
    Refunds,
}

/// A running total that an event states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// What it adds up.
    pub of: TotalOf,
    /// The PSP's id of the thing whose total it is. The unexplained part of a total of items is an item of this id.
    pub id: String,
    /// Major units.
    pub amount: Decimal,
}

/// The running totals of a payment, by the PSP's ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Totals {
    /// Of its bookings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<String, Stamped<Decimal>>,
    /// Of its refunds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<String, Stamped<Decimal>>,
}

/// A registered refund that is not confirmed. A total may include it all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unconfirmed {
    /// Major units.
    pub amount: Decimal,
    /// When it failed or was cancelled; none while it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

impl Totals {
    /// Whether no event has stated a total.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes the totals that an event with this stamp states.
    ///
    /// # Errors
    /// [`Contradiction::TooMany`]; some of the totals may be written.
    pub(super) fn write(
        &mut self,
        stated: &[Total],
        stamp: &Stamp,
        written: &mut Vec<Written>,
    ) -> Result<(), Contradiction> {
        for total in stated {
            let totals = match total.of {
                TotalOf::Items => &mut self.items,
                TotalOf::Refunds => &mut self.refunds,
            };
            written.push(write(totals, &total.id, stamp.clone(), total.amount));
            if totals.len() > BOOKINGS_MAX {
                return Err(Contradiction::TooMany { most: BOOKINGS_MAX, what: "running totals" });
            }
        }
        Ok(())
    }

    /// Takes over all totals of another telling of the same record.
    pub(super) fn join(&mut self, other: Self) {
        for (own, others) in [(&mut self.items, other.items), (&mut self.refunds, other.refunds)] {
            for (id, total) in others {
                write(own, &id, total.stamp, total.value);
            }
        }
    }

    /// The stamps of all totals.
    pub(super) fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        self.items.values().chain(self.refunds.values()).map(|total| &total.stamp)
    }
}

/// Writes a total unless a newer one stands. Of two totals of one time the greater one is newer: totals grow.
fn write(totals: &mut BTreeMap<String, Stamped<Decimal>>, id: &str, stamp: Stamp, amount: Decimal) -> Written {
    let order = |stamp: &Stamp, amount: Decimal| (stamp.at, stamp.rank, amount, stamp.tie.clone());
    let known = totals.get(id).map(|known| order(&known.stamp, known.value));
    let written = known.map_or(Written::Newer, |known| match order(&stamp, amount).cmp(&known) {
        std::cmp::Ordering::Greater => Written::Newer,
        std::cmp::Ordering::Equal => Written::Same,
        std::cmp::Ordering::Less => Written::Older,
    });
    if written == Written::Newer {
        totals.insert(id.to_owned(), Stamped { stamp, value: amount });
    }
    written
}
