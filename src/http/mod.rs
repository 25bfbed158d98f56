//! The routes and their server: all of actix is here and in `app`.

mod api;
mod body;
mod caller;
mod chunks;
mod cut;
mod gate;
mod health;
mod length;
mod lines;
mod lists;
mod metrics;
mod notification;
mod problem;
mod records;
mod refusals;
mod replay;
mod routes;
mod server;
mod sources;
mod spoilt;
mod state;
mod stream;
mod token;
mod unread;

pub use body::Bodies;
pub use health::Probed;
pub use refusals::Refusals;
pub(crate) use routes::routes;
pub use server::{ServerOptions, bind, workers};
pub use state::{InForce, State};
