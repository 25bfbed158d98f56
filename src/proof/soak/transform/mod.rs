//! The soak's stand-in for Transform: it answers by its mood, and checks each webhook and each body that it reads.

mod listening;
mod moods;
mod stand_in;
mod webhook;
mod wire;

pub(super) use self::stand_in::Transform;
