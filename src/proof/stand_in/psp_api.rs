//! The scripted PSP API: it has objects by their paths, answers calls by its script, and remembers them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::{Connection, Sent};
use super::http::{Request, value};
use super::scripted::Scripted;
use super::server::{Server, plain};
use crate::proof::lock::lock;

/// The most calls that are remembered. Later ones are answered as the others.
const REMEMBERED: usize = 20_000;

/// A call as it came.
#[derive(Debug, Clone)]
pub struct Call {
    /// The time of its coming.
    pub at: Instant,
    /// The method, as it was written.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers in their order, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// How many other calls had no response yet.
    pub beside: usize,
    /// Whether another call of the same path had no response yet.
    pub overlaps: bool,
}

impl Call {
    /// A header's value by its name in lower case. Empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        value(&self.headers, name)
    }
}

#[derive(Debug, Default)]
struct State {
    calls: watch::Sender<Vec<Call>>,
    script: Mutex<VecDeque<Scripted>>,
    objects: Mutex<HashMap<String, String>>,
    authorization: Mutex<Option<String>>,
    hangs_at: Mutex<Option<String>>,
    under_way: Mutex<Vec<String>>,
}

/// An API on 127.0.0.1. A call beyond the script gets the object of its path, or 404.
#[derive(Debug)]
pub struct PspApi {
    server: Server,
    state: Arc<State>,
}

impl PspApi {
    /// Starts an API without objects at a free port.
    ///
    /// # Errors
    /// It cannot listen.
    pub fn start() -> io::Result<Self> {
        let state: Arc<State> = Arc::default();
        let shared = Arc::clone(&state);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(address, plain, move |request, connection| shared.take(request, connection))?;
        Ok(Self { server, state })
    }

    /// The address at which it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Adds the next replies to the script, in order.
    pub fn script(&self, replies: impl IntoIterator<Item = Scripted>) {
        lock(&self.state.script).extend(replies);
    }

    /// From now on the object of this path (with its query) is this one.
    pub fn put(&self, path: &str, object: &Value) {
        lock(&self.state.objects).insert(path.to_owned(), object.to_string());
    }

    /// From now on calls with another Authorization get a 401.
    pub fn demand(&self, authorization: &str) {
        *lock(&self.state.authorization) = Some(authorization.to_owned());
    }

    /// From now on calls whose path contains this text never get a response.
    pub fn hangs_at(&self, part: &str) {
        *lock(&self.state.hangs_at) = Some(part.to_owned());
    }

    /// All calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.borrow().clone()
    }

    /// The number of calls so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state.calls.borrow().len()
    }

    /// Waits until this many calls came. Returns all so far.
    pub async fn called(&self, times: usize) -> Vec<Call> {
        let mut calls = self.state.calls.subscribe();
        // The sender lives as long as this API does.
        calls.wait_for(|calls| calls.len() >= times).await.map(|calls| calls.clone()).unwrap_or_default()
    }
}

impl State {
    fn take(&self, request: Request, connection: &mut Connection) -> Sent {
        let path = request.path.clone();
        let call = self.begun(request);
        let known = lock(&self.authorization).as_ref().is_none_or(|wanted| *wanted == call.header("authorization"));
        let scripted = lock(&self.script).pop_front();
        self.calls.send_modify(|calls| {
            if calls.len() < REMEMBERED {
                calls.push(call);
            }
        });
        let hangs = lock(&self.hangs_at).as_ref().is_some_and(|part| path.contains(part));
        let reply = match scripted {
            _ if hangs => Scripted::Hang,
            _ if !known => Scripted::status(401),
            Some(reply) => reply.opened(|| self.object(&path)),
            None => self.object(&path),
        };
        if matches!(reply, Scripted::With(..)) {
            self.over(&path);
            return connection.send(reply);
        }
        let sent = connection.send(reply);
        self.over(&path);
        sent
    }

    fn object(&self, path: &str) -> Scripted {
        lock(&self.objects).get(path).map_or_else(|| Scripted::status(404), Scripted::body)
    }

    fn begun(&self, request: Request) -> Call {
        let Request { method, path, headers, .. } = request;
        let mut under_way = lock(&self.under_way);
        let (beside, overlaps) = (under_way.len(), under_way.contains(&path));
        under_way.push(path.clone());
        Call { at: Instant::now(), method, path, headers, beside, overlaps }
    }

    fn over(&self, path: &str) {
        let mut under_way = lock(&self.under_way);
        if let Some(at) = under_way.iter().position(|other| other == path) {
            under_way.remove(at);
        }
    }
}
