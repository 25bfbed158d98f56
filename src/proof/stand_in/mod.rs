//! Stand-ins around the relay, one set for the demo, the soak, the tests and the benchmark: Transform, PSPs that sign, a
//! PSP's API, and the program as a child process.
//!
//! Each of them is scripted: a [`Scripted`] says as data what is answered, be it nothing, half of it or far too much. What comes
//! in is waited for by a signal. Errors are returned, so that a proof can name them and a test can unwrap them.

mod connection;
mod http;
mod program;
mod psp;
mod psp_api;
mod reading;
mod relay;
mod scripted;
mod server;
mod tokens;
mod transform;
mod webhook;

pub use self::connection::{Connection, Sent, Stream};
pub use self::http::{Request, Response};
pub use self::program::{Ended, Program};
pub use self::psp::Psp;
pub use self::psp_api::{Call, PspApi};
pub use self::reading::{get, path};
pub use self::relay::{Relay, database, listening};
pub use self::scripted::{Gate, Scripted};
pub use self::server::{Server, plain};
pub use self::tokens::{STACK_TOKEN, TRANSFORM_TOKEN};
pub use self::transform::{Transform, Webhook};
pub use self::webhook::{Key, told_of, webhook};
