//! The scripted Transform: it takes webhooks, answers them by its script or as usual, and remembers them.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::{Connection, Sent, Stream};
use super::http::{Request, value};
use super::reading;
use super::scripted::Scripted;
use super::server::{Server, plain};
use super::webhook::told_of;
use crate::proof::lock::lock;

/// The most webhooks that are remembered. Later ones are answered as the others.
const REMEMBERED: usize = 20_000;

/// A webhook as it came.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The time of its coming.
    pub at: Instant,
    /// The method, as it was written.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers in their order, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body. Bytes that are no UTF-8 are replaced.
    pub body: String,
    /// Whether another webhook with the same body had no response yet.
    pub overlaps: bool,
    /// The record as it was read before the response, where [`Transform::reads_from`] says so; or why it was not read.
    pub read: Option<Result<Value, String>>,
}

impl Webhook {
    fn of(request: Request) -> Self {
        let Request { method, path, headers, body } = request;
        let body = String::from_utf8_lossy(&body).into_owned();
        Self { at: Instant::now(), method, path, headers, body, overlaps: false, read: None }
    }

    /// A header's value by its name in lower case. Empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        value(&self.headers, name)
    }

    /// The body as JSON. `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// The reply where the script says nothing.
type Usual = Box<dyn Fn(&Webhook, &Connection) -> Scripted + Send + Sync>;

struct State {
    hooks: watch::Sender<Vec<Webhook>>,
    /// The time of each whole response, in the order of the responses.
    answered: Mutex<Vec<Instant>>,
    script: Mutex<VecDeque<Scripted>>,
    chokes_on: Mutex<Option<String>>,
    under_way: Mutex<HashSet<String>>,
    hung_up: watch::Sender<usize>,
    /// The relay to read from, and the token for it.
    relay: Mutex<Option<(SocketAddr, String)>>,
    usual: Usual,
}

/// A Transform on this machine.
pub struct Transform {
    server: Server,
    state: Arc<State>,
}

impl Transform {
    /// Starts a Transform at a free port of 127.0.0.1. It answers as `usual` says where its script says nothing.
    ///
    /// # Errors
    /// It cannot listen.
    pub fn start(usual: impl Fn(&Webhook, &Connection) -> Scripted + Send + Sync + 'static) -> io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), plain, usual)
    }

    /// Starts a Transform at this address, with plain connections or by TLS: see [`Server::start`].
    ///
    /// # Errors
    /// It cannot listen there.
    pub fn listen(
        address: SocketAddr,
        wrap: impl Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync + 'static,
        usual: impl Fn(&Webhook, &Connection) -> Scripted + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let state = Arc::new(State {
            hooks: watch::Sender::new(Vec::new()),
            answered: Mutex::default(),
            script: Mutex::default(),
            chokes_on: Mutex::default(),
            under_way: Mutex::default(),
            hung_up: watch::Sender::new(0),
            relay: Mutex::default(),
            usual: Box::new(usual),
        });
        let shared = Arc::clone(&state);
        let server =
            Server::start(address, wrap, move |request, connection| shared.take(Webhook::of(request), connection))?;
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

    /// From now on webhooks that name this text get a 500, where the script says nothing else.
    pub fn choke_on(&self, text: &str) {
        *lock(&self.state.chokes_on) = Some(text.to_owned());
    }

    /// From now on each record is read from this relay, with this token, before its webhook is answered.
    pub fn reads_from(&self, relay: SocketAddr, token: &str) {
        *lock(&self.state.relay) = Some((relay, token.to_owned()));
    }

    /// Refuses connections from now on, or listens again.
    ///
    /// # Errors
    /// It cannot listen again.
    pub fn refuses(&self, yes: bool) -> io::Result<()> {
        self.server.refuses(yes)
    }

    /// All webhooks so far.
    #[must_use]
    pub fn hooks(&self) -> Vec<Webhook> {
        self.state.hooks.borrow().clone()
    }

    /// The number of webhooks so far that are as asked for.
    #[must_use]
    pub fn count(&self, wanted: impl Fn(&Webhook) -> bool) -> usize {
        self.state.hooks.borrow().iter().filter(|hook| wanted(hook)).count()
    }

    /// Waits until this many webhooks came that are as asked for. Returns all of these so far.
    pub async fn heard(&self, times: usize, wanted: impl Fn(&Webhook) -> bool) -> Vec<Webhook> {
        let these = |hooks: &[Webhook]| hooks.iter().filter(|hook| wanted(hook)).cloned().collect::<Vec<_>>();
        let enough = |hooks: &Vec<Webhook>| hooks.iter().filter(|hook| wanted(hook)).count() >= times;
        let mut hooks = self.state.hooks.subscribe();
        // The sender lives as long as this Transform does.
        hooks.wait_for(enough).await.map(|hooks| these(&hooks)).unwrap_or_default()
    }

    /// Waits until the relay has hung up on this many unfinished replies.
    pub async fn hung_up(&self, times: usize) {
        // The sender lives as long as this Transform does.
        drop(self.state.hung_up.subscribe().wait_for(|count| *count >= times).await);
    }

    /// The time just before the n-th whole response (from 0) was written.
    #[must_use]
    pub fn answered(&self, n: usize) -> Option<Instant> {
        lock(&self.state.answered).get(n).copied()
    }
}

impl State {
    fn take(&self, mut hook: Webhook, connection: &mut Connection) -> Sent {
        let relay = lock(&self.relay).clone();
        hook.read = relay.map(|(relay, token)| read(relay, &token, &hook));
        hook.overlaps = !lock(&self.under_way).insert(hook.body.clone());
        let scripted = lock(&self.script).pop_front();
        self.hooks.send_modify(|hooks| {
            if hooks.len() < REMEMBERED {
                hooks.push(hook.clone());
            }
        });
        let reply = match scripted {
            Some(reply) => reply.opened(|| self.usually(&hook, connection)),
            None => self.usually(&hook, connection),
        };
        if matches!(reply, Scripted::With(..)) {
            lock(&self.under_way).remove(&hook.body);
            let mut answered = lock(&self.answered);
            if answered.len() < REMEMBERED {
                answered.push(Instant::now());
            }
            drop(answered);
            return connection.send(reply);
        }
        let sent = connection.send(reply);
        lock(&self.under_way).remove(&hook.body);
        if sent == Sent::HungUp {
            self.hung_up.send_modify(|count| *count += 1);
        }
        sent
    }

    fn usually(&self, hook: &Webhook, connection: &Connection) -> Scripted {
        let chokes = lock(&self.chokes_on).as_ref().is_some_and(|text| hook.body.contains(text));
        if chokes { Scripted::status(500) } else { (self.usual)(hook, connection) }
    }
}

fn read(relay: SocketAddr, token: &str, hook: &Webhook) -> Result<Value, String> {
    let key = told_of(hook.body.as_bytes())?;
    let response = reading::get(relay, token, &reading::path(&key, true)).map_err(|error| error.to_string())?;
    serde_json::from_str(&response.body).map_err(|error| format!("{error}: {}", response.body))
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transform").field("address", &self.address()).finish_non_exhaustive()
    }
}
