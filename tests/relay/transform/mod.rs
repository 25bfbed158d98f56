//! What Transform reads.

mod agreements;
mod answered;
mod every_status;
mod failed_as;
mod own_bodies;
mod views;
