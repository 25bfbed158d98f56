//! Strangers: `soak --hostile`. Clients that nobody trusts attack the relay while the lives go on.
//!
//! No stranger may be believed, keep anybody else out for long, or cost memory or processor time without bound. Each
//! attack is one function that plays one round; it says what the relay may never answer.

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
