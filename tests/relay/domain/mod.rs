//! Records and money: registrations, bookings, contradictions.

mod captures;
mod history;
mod money;
mod registration;
