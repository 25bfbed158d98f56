//! The guide for authors of profiles: explanations of how a notification is read, and the page of a profile.

pub mod explain;
pub mod page;
