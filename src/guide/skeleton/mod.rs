//! The skeleton of a profile, with comments, from a notification that the PSP sent.

mod guess;
mod make;
mod sample;
mod write;

pub use self::make::skeleton;
