//! Shared by the tests of this binary.

pub(crate) mod contents;
pub(crate) mod golden;
