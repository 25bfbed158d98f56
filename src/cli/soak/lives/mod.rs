//! Generated lives of payments: the happenings at PSPs, their notifications, and the truth that follows.
//!
//! Pure: a seed and a number make the same life everywhere. A life never contradicts itself (no refunds above the paid
//! amount), because the relay judges contradictions by order of arrival, and reports them.

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

/// The sources: their names, their profiles and the secrets shared with their PSPs, made up for the soak.
pub(super) const SOURCES: [(&str, &str, &str); 4] = [
    ("stripe-main", "stripe", "whsec_soak"),
    ("adyen-eu", "adyen", "736f616b20736f616b20736f616b20736f616b20736f616b20736f616b202121"),
    ("media", "frisbii-media", "soak-callback-secret"),
    ("river", "digital-river", "soak-river-secret"),
];

/// One customer's dealings at one PSP.
#[derive(Debug, Clone)]
pub(super) struct Life {
    /// The life's label, for people: `stripe 17: manual capture, captured in part`.
    pub(super) label: String,
    pub(super) registrations: Vec<Registration>,
    /// The notifications, in the order of their happening at the PSP.
    pub(super) notifications: Vec<Notification>,
    pub(super) truths: Vec<Truth>,
}

/// A registration of a record by the payment stack.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) body: Value,
}

/// A notification of the PSP.
#[derive(Debug, Clone)]
pub(super) struct Notification {
    pub(super) source: &'static str,
    /// The profile's form, if it is not the first.
    pub(super) form: Option<&'static str>,
    pub(super) body: Value,
    /// The record of which it speaks, by type code and id.
    pub(super) concerns: (u8, String),
    pub(super) fate: Fate,
}

/// The expected fate of a notification.
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
    /// The life of this number. A soak's lives are numbered from 0.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut chance = Chance::of(seed, "life", number);
        let profile = chance.pick(&["stripe", "stripe", "adyen", "adyen", "frisbii-media", "digital-river"]);
        Self::of_profile(profile, seed, number)
    }

    /// The life of this number at the PSP of a profile.
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
