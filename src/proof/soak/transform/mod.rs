//! The soak's Transform: the scripted one of the stand-ins, with a memory that answers by its mood, and checks each webhook and
//! each record that it reads.

mod memory;
mod moods;
mod stand_in;

pub(super) use self::stand_in::Transform;
