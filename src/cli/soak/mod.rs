//! `soak`: proves that nothing acknowledged is lost, whatever happens around the relay.

#![expect(clippy::indexing_slicing, reason = "indexing JSON values cannot panic: the lives know their shapes")]

mod lives;
