//! Lives: what happens at PSPs, what they tell of it, and what is therefore true.
//!
//! Pure: a seed and a number make the same life everywhere. A life says nothing contradictory (no refunds beyond what
//! was paid), since the relay judges that by order of arrival, and says so.

mod adyen;
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
pub(super) use self::truth::Truth;
