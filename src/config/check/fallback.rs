//! Fallback values: they stand in for wrong ones, so that the check goes on and finds all errors.

use std::time::Duration;

use crate::transform::response::FailedAs;

/// A type with a value that stands in for a wrong one.
pub(super) trait Fallback {
    fn fallback() -> Self;
}

impl Fallback for std::net::SocketAddr {
    fn fallback() -> Self {
        Self::from(([127, 0, 0, 1], 0))
    }
}

impl Fallback for Duration {
    fn fallback() -> Self {
        Self::from_secs(1)
    }
}

impl Fallback for u16 {
    fn fallback() -> Self {
        404
    }
}

impl Fallback for u64 {
    fn fallback() -> Self {
        1
    }
}

impl Fallback for usize {
    fn fallback() -> Self {
        1
    }
}

impl Fallback for FailedAs {
    fn fallback() -> Self {
        Self::default()
    }
}
