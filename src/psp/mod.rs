//! The PSPs' dialects, pure: is this notification theirs, and what does it say in our words?
//!
//! A PSP is data: a [`profile::Profile`] read from a TOML file. [`verify`] turns a received notification into a
//! [`verify::Verified`] one, and nothing else can. [`normalise`] reads an [`in_form::InForm`]: a notification and its form.

pub mod catalogue;
pub mod challenge;
pub mod content;
pub mod crypto;
pub mod explain;
pub mod fetch;
pub mod identity;
pub mod in_form;
pub mod needs;
pub mod normalise;
pub mod page;
pub mod place;
pub mod pointer;
pub mod profile;
pub mod read;
pub mod received;
pub mod secret;
pub mod sign;
pub mod signed;
mod translate;
pub mod verify;
pub mod xml;
