//! The PSPs' dialects, pure: is this notification theirs, and what does it say in our words?
//!
//! A PSP is data: a [`profile::Profile`] read from a TOML file. Four storeys stand on each other, and each uses only those below
//! it: [`document`] (bytes, and where a value stands), [`profile`] (text that was checked), [`vouch`] (is it theirs) and
//! [`meaning`] (what it says).
//!
//! [`vouch::verify`] turns a received notification into a [`vouch::verify::Verified`] one, and nothing else can.
//! [`meaning::normalise`] reads an [`meaning::in_form::InForm`]: a notification and its form.

pub mod document;
pub mod meaning;
pub mod profile;
pub mod vouch;
