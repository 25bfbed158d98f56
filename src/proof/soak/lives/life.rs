//! A life as plain data: its registrations, its notifications with their sources, and its truth.

use serde_json::Value;

use super::truth::Truth;
use crate::domain::ids::Kind;

/// The sources: their names, their profiles and the secrets shared with their PSPs, made up for the soak.
pub(in crate::proof::soak) const SOURCES: [(&str, &str, &str); 4] = [
    ("stripe-main", "stripe", "whsec_soak"),
    ("adyen-eu", "adyen", "736f616b20736f616b20736f616b20736f616b20736f616b20736f616b202121"),
    ("media", "frisbii-media", "soak-callback-secret"),
    ("river", "digital-river", "soak-river-secret"),
];

/// One customer's dealings at one PSP.
#[derive(Debug, Clone)]
pub(in crate::proof::soak) struct Life {
    /// The life's label, for people: `stripe 17: manual capture, captured in part`.
    pub(in crate::proof::soak) label: String,
    pub(in crate::proof::soak) registrations: Vec<Registration>,
    /// The notifications, in the order of their happening at the PSP.
    pub(in crate::proof::soak) notifications: Vec<Notification>,
    pub(in crate::proof::soak) truths: Vec<Truth>,
}

/// A registration of a record by the payment stack.
#[derive(Debug, Clone)]
pub(in crate::proof::soak) struct Registration {
    pub(in crate::proof::soak) kind: Kind,
    pub(in crate::proof::soak) id: String,
    pub(in crate::proof::soak) body: Value,
}

/// A notification of the PSP.
#[derive(Debug, Clone)]
pub(in crate::proof::soak) struct Notification {
    pub(in crate::proof::soak) source: &'static str,
    /// The profile's form, if it is not the first.
    pub(in crate::proof::soak) form: Option<&'static str>,
    pub(in crate::proof::soak) body: Value,
    /// The record of which it speaks, by type code and id.
    pub(in crate::proof::soak) concerns: (u8, String),
    pub(in crate::proof::soak) fate: Fate,
}

/// The expected fate of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proof::soak) enum Fate {
    /// It reaches its record.
    Reaches,
    /// It concerns no record.
    Ignored,
    /// It cannot be understood.
    DeadLetter,
    /// It waits for a record that is never registered.
    Parked,
}
