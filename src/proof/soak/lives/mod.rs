//! Generated lives of payments: the happenings at PSPs, their notifications, and the truth that follows.
//!
//! Pure: a seed and a number make the same life everywhere. A life never contradicts itself (no two currencies), because the
//! relay judges contradictions by order of arrival, and reports them.

mod adyen;
mod attempt;
mod beginning;
mod chance;
mod digital_river;
mod digital_river_order;
mod expected;
mod life;
mod making;
mod media;
mod money;
mod stripe;
#[cfg(test)]
mod tests;
mod truth;

pub(super) use self::chance::Chance;
pub(super) use self::life::{Fate, Life, Notification, Registration, SOURCES};
pub(super) use self::truth::{Truth, undated};
