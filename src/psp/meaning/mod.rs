//! The meaning of a notification: its events, in the words of `domain`.

pub mod call;
pub(crate) mod hash;
pub mod identity;
pub mod in_form;
pub mod normalise;
pub mod read;
pub(crate) mod rules;
mod translate;
mod unread;
