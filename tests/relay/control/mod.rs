//! The socket by which commands ask a running relay for a reload.

mod reload;
mod socket;
