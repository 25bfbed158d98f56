//! The PSPs' dialects, pure: whether a notification is the PSP's, and what it says in our words.
//!
//! A PSP is data: a [`profile::Profile`] read from a TOML file. Four storeys stand on each other, and each uses only
//! those below it: [`document`] (bytes, and where a value stands), [`profile`] (the checked text), [`vouch`] (whether a
//! notification is the PSP's) and [`meaning`] (what it says).
//!
//! [`vouch::verify`] turns a received notification into a [`vouch::verify::Verified`] one, and nothing else can.
//! [`meaning::normalise`] reads an [`meaning::in_form::InForm`]: a notification and its form.

pub mod document;
pub mod meaning;
pub mod profile;
pub mod vouch;
