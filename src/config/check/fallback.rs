//! Values to go on with where the written one is wrong, so that all errors are found.

use std::time::Duration;

use crate::transform::response::FailedAs;

/// What is answered at the route of a source that is not enabled: as if it were not there.
pub(super) const CLOSED: u16 = 404;

/// Some value, to go on looking for errors with.
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
        CLOSED
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
