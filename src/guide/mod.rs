//! The guide for authors of profiles: explanations of how a notification is read, what it means in words, and the page of a
//! profile.

pub mod explain;
pub mod page;
pub mod render;
