//! Records and money: registrations, bookings, contradictions.

mod captures;
mod exactness;
mod history;
mod mended;
mod money;
mod registration;
mod stated;
