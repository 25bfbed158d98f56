//! PSPs, each with a story of its own.

mod stories;
