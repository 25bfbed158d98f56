//! wip
pub mod domain;
pub mod psp;
