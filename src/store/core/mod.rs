//! The core of the store: what a piece of work changes, decided over a working set in memory. **Pure**: an engine loads what a
//! decision asks for, and writes what has changed.

mod circle;
mod commit;
pub(in crate::store) mod correcting;
pub(in crate::store) mod digest;
mod family;
pub(in crate::store) mod fetched;
mod fetches;
pub(in crate::store) mod findings;
pub(in crate::store) mod first_times;
pub(in crate::store) mod given_up;
mod giving_way;
pub(in crate::store) mod history;
pub(in crate::store) mod importing;
#[cfg(test)]
mod in_memory;
pub(in crate::store) mod inbound;
pub(in crate::store) mod inbox;
mod later_outcomes;
mod learning;
pub(in crate::store) mod outbox;
pub(in crate::store) mod outcomes;
pub(in crate::store) mod owing;
pub(in crate::store) mod owners;
pub(in crate::store) mod parked;
pub(in crate::store) mod parking;
pub(in crate::store) mod placed;
mod placing;
pub(in crate::store) mod reached;
pub(in crate::store) mod records;
pub(in crate::store) mod register;
pub(in crate::store) mod removal;
pub(in crate::store) mod repairing;
pub(in crate::store) mod set;
pub(in crate::store) mod taking;
pub(in crate::store) mod telling;
pub(in crate::store) mod waited;
mod way;
pub(in crate::store) mod ways;
pub(in crate::store) mod work;

#[cfg(test)]
pub(crate) use in_memory::InMemory;
