//! Strangers of `soak --hostile`: untrusted clients attack the relay while the lives go on.
//!
//! No stranger may be believed, keep out others for long, or cost memory or processor time without bound. Each attack is one
//! function that plays one round. It reports answers that the relay must never give.

mod attack;
mod bombs;
mod captured;
mod held;
mod hints;
mod innocent;
mod requests;
mod stranger;
mod unread;
mod watch;
mod wire;

pub(super) use self::attack::{SOURCES, Strangers};
