//! For people who write profiles: why a notification is read as it is, and what a profile says.

pub mod explain;
pub mod page;
