//! The working set: the rows that a group of work may touch, in memory. An engine loads what a decision asks for, and writes what
//! has changed.

pub(in crate::store) mod keys;
mod order;
pub(in crate::store) mod rows;
mod table;
mod want;
mod working_set;

pub(in crate::store) use order::Order;
pub(in crate::store) use table::{Change, Row};
pub(in crate::store) use want::{Decided, Halt, Readable, Want};
pub(in crate::store) use working_set::{NextRows, WorkingSet};
