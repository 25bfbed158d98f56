//! Stand-ins around the relay, one set for the demo, the soak, the tests and the benchmark: Transform, PSPs that sign, a
//! PSP's API, and the program as a child process.
//!
//! Each of them is scripted: a [`Reply`] says as data what is answered, be it nothing, half of it or far too much. What comes
//! in is waited for by a signal. Errors are returned, so that a proof can name them and a test can unwrap them.

mod http;
mod peer;
mod program;
mod psp;
mod psp_api;
mod reading;
mod relay;
mod reply;
mod server;
mod tokens;
mod transform;
mod webhook;

pub use self::http::{Request, Response};
pub use self::peer::{Peer, Sent, Stream};
pub use self::program::{Ended, Program};
pub use self::psp::Psp;
pub use self::psp_api::{Call, PspApi};
pub use self::reading::{get, path};
pub use self::relay::{Relay, database, listening};
pub use self::reply::{Gate, Reply};
pub use self::server::{Server, plain};
pub use self::tokens::{STACK_TOKEN, TRANSFORM_TOKEN};
pub use self::transform::{Hook, Transform};
pub use self::webhook::{Key, told_of, webhook};
