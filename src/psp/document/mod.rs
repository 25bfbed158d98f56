//! The document of a notification: its bytes, and the places of values in them.

pub mod content;
pub mod place;
pub mod pointer;
pub mod received;
pub mod xml;
