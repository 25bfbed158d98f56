//! The bytes of a notification, and where a value stands in them.

pub mod content;
pub mod place;
pub mod pointer;
pub mod received;
pub mod xml;
