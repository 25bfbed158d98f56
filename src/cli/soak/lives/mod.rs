//! Lives: what happens at PSPs, what they tell of it, and what is therefore true.
//!
//! Pure: a seed and a number make the same life everywhere. A life says nothing contradictory (no refunds beyond what
//! was paid), since the relay judges that by order of arrival, and says so.

mod adyen;
mod chance;
mod digital_river;
mod digital_river_order;
mod expected;
mod making;
mod media;
mod money;
mod stripe;
#[cfg(test)]
mod tests;
mod truth;

use serde_json::Value;

pub(super) use self::chance::Chance;
use self::making::Making;
pub(super) use self::truth::Truth;
use crate::domain::ids::Kind;

/// The sources: their names and profiles, and what they share with their PSPs, made up for the soak.
pub(super) const SOURCES: [(&str, &str, &str); 4] = [
    ("stripe-main", "stripe", "whsec_soak"),
    ("adyen-eu", "adyen", "736f616b20736f616b20736f616b20736f616b20736f616b20736f616b202121"),
    ("media", "frisbii-media", "soak-callback-secret"),
    ("river", "digital-river", "soak-river-secret"),
];

/// One customer's dealings at one PSP.
#[derive(Debug, Clone)]
pub(super) struct Life {
    /// What it is about, for people: `stripe 17: manual capture, captured in part`.
    pub(super) label: String,
    pub(super) registrations: Vec<Registration>,
    /// In the order in which they happen at the PSP.
    pub(super) notifications: Vec<Notification>,
    pub(super) truths: Vec<Truth>,
}

/// What the payment stack says of a record.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) body: Value,
}

/// What the PSP tells.
#[derive(Debug, Clone)]
pub(super) struct Notification {
    pub(super) source: &'static str,
    /// The profile's form, where it is not the first.
    pub(super) form: Option<&'static str>,
    pub(super) body: Value,
    /// The record that it speaks of, by type code and id.
    pub(super) concerns: (u8, String),
    pub(super) fate: Fate,
}

/// What is to become of a notification in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It reaches its record.
    Reaches,
    /// It concerns no record.
    Ignored,
    /// It cannot be understood.
    DeadLetter,
    /// It waits for a record that is never registered.
    Parked,
}

impl Life {
    /// The life of that number: a soak's lives are those from 0.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut chance = Chance::of(seed, "life", number);
        let profile = chance.pick(&["stripe", "stripe", "adyen", "adyen", "frisbii-media", "digital-river"]);
        Self::of_profile(profile, seed, number)
    }

    /// The same at the PSP of a profile.
    pub(super) fn of_profile(profile: &'static str, seed: u64, number: u64) -> Self {
        let mut making = Making::new(profile, Chance::of(seed, profile, number), number);
        match profile {
            "stripe" => stripe::live(&mut making),
            "adyen" => adyen::live(&mut making),
            "frisbii-media" => media::live(&mut making),
            _ => digital_river::live(&mut making),
        }
        making.done()
    }
}
