//! Routes, connections, and the limits and times of requests.

mod frozen;
mod limits;
mod open_files;
mod pipelined;
mod routes;
mod timeouts;
mod unread_answers;
