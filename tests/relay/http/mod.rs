//! Routes, connections, and the limits and times of requests.

mod addresses;
mod error_texts;
mod frozen;
mod limits;
mod open_files;
mod openapi;
mod pipelined;
mod refused_heads;
mod routes;
mod timeouts;
mod unread_answers;
