//! The rows of the working set, one file for each table.

pub(in crate::store) mod finding;
pub(in crate::store) mod notification;
pub(in crate::store) mod outbox;
pub(in crate::store) mod parked;
pub(in crate::store) mod placed;
pub(in crate::store) mod record;
pub(in crate::store) mod state;
pub(in crate::store) mod text;
pub(in crate::store) mod way;
