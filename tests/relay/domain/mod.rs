//! Records and money: registrations, bookings, contradictions.

mod history;
mod money;
mod registration;
