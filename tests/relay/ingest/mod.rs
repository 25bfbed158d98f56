//! Notifications: proofs, outcomes, parked events, repetitions.

mod contents;
mod findings;
mod led_elsewhere;
mod notifications;
mod parked;
mod parked_limits;
mod sources;
mod unsigned_times;
mod verification;
