//! The truth behind pointers and hints, fetched from the PSPs' APIs.

mod api_failures;
mod hint_floods;
mod pointers;
mod pointing_psps;
mod thin_events;
mod unsigned_hints;
