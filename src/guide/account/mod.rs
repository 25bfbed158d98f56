//! Accounts of a notification for authors of profiles, in words: its signatures, its messages, and their events.

mod messages;
mod notification;
mod signatures;

pub use self::notification::{hinted, messages};
pub use self::signatures::signatures;
