//! A stand-in for Transform that is in a mood, and that checks what it hears and reads.

mod listening;
mod moods;
mod stand_in;
mod webhook;
mod wire;

pub(super) use self::stand_in::Transform;
