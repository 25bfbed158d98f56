//! The guide for authors of profiles. It explains how a notification is read, and says what it means in words. It makes the
//! page of a profile, a skeleton for a new one, and the differences that a changed one makes.

pub mod account;
pub mod explain;
pub mod page;
pub mod render;

mod difference;
mod skeleton;

pub use self::difference::difference;
pub use self::skeleton::skeleton;
