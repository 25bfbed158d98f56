//! A running relay, as its clients see it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::peek::Held;
use super::program::{Ended, Program, run};
use super::setup::{INTEGRATOR_TOKEN, Setup, TRANSFORM_TOKEN};
use super::{PATIENCE, Reply, Transform, payment, psp, stripe, within};

/// `transform-relay serve` on a folder of its own.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) program: Program,
    /// `http://address:port`
    pub(crate) url: String,
    pub(crate) setup: Setup,
    pub(crate) folder: TempDir,
    transform: String,
    client: reqwest::Client,
    watched: std::cell::Cell<u32>,
}

impl Relay {
    pub(crate) async fn spawn(setup: Setup, transform: &Transform) -> Self {
        Self::spawn_in(tempfile::tempdir().unwrap(), setup, transform).await
    }

    /// The same on a folder with files.
    pub(crate) async fn spawn_in(folder: TempDir, setup: Setup, transform: &Transform) -> Self {
        let transform = transform.address.to_string();
        let (program, url) = begin(&setup, &folder, &transform).await;
        // A connection is used once, so a stopping relay need not wait for idle connections.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(PATIENCE);
        let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { program, url, setup, folder, transform, client, watched: 0.into() }
    }

    /// SIGKILL: only the data on disk is left.
    pub(crate) async fn kill(&self) {
        self.program.signal("KILL");
        self.program.ended().await;
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn terminate(&self) -> Ended {
        self.program.signal("TERM");
        self.program.ended().await
    }

    /// Starts again on the same folder, with the set-up as it is now.
    pub(crate) async fn restart(&mut self) {
        assert!(!self.program.runs(), "it still runs");
        (self.program, self.url) = begin(&self.setup, &self.folder, &self.transform).await;
    }

    /// Begins to start again.
    pub(crate) fn begin(&mut self) {
        assert!(!self.program.runs(), "it still runs");
        self.program = spawned(&self.setup, &self.folder, &self.transform);
    }

    /// Begins to start on a store that another process is writing. When this returns, the relay has read its
    /// configuration and has the store, and waits for the store to be free. The relay gives up after some seconds,
    /// unless it is stopped.
    pub(crate) async fn begin_to_start(&mut self) -> Held {
        let busy = self.hold_store();
        let lock = self.file("relay.db.lock");
        std::fs::remove_file(&lock).unwrap();
        self.begin();
        let has_the_store = async {
            while !lock.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within("the relay to have the store", has_the_store).await;
        busy
    }

    /// Waits until a start is over.
    pub(crate) async fn started(&mut self) {
        self.url = listening(&self.program).await;
    }

    /// Writes the set-up as it is now, and makes the relay take it up. The command runs without the relay's own
    /// environment.
    pub(crate) async fn reload(&self) -> Ended {
        self.setup.write(self.folder.path(), &self.transform);
        run(&["reload", "--config", self.file("relay.toml").to_str().unwrap()], &[]).await
    }

    /// `secret rotate` with these arguments, without the relay's own environment.
    pub(crate) async fn rotate(&self, arguments: &[&str]) -> Ended {
        let file = self.file("relay.toml");
        let own: &[&str] = if arguments.contains(&"--from-stdin") { &[] } else { &["--made-here"] };
        let arguments = [&["secret", "rotate", "--config", file.to_str().unwrap()], arguments, own].concat();
        run(&arguments, &[]).await
    }

    /// From now on the configuration names another Transform.
    pub(crate) fn names(&mut self, transform: &Transform) {
        self.transform = transform.address.to_string();
    }

    /// As the integrator: the sources.
    pub(crate) async fn sources(&self) -> Value {
        let request = self.request(Method::GET, "/sources").bearer_auth(INTEGRATOR_TOKEN);
        self.send(request).await.expect(200).json()["sources"].take()
    }

    /// How many notifications each secret of a source is said to have verified.
    pub(crate) async fn verified(&self, source: &str) -> i64 {
        let sources = self.sources().await;
        let source = sources.as_array().unwrap().iter().find(|one| one["name"] == source).unwrap();
        source["secrets"].as_array().unwrap().iter().map(|one| one["verified"].as_i64().unwrap()).sum()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Any request, without credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        match request.send().await {
            Ok(response) => Reply::of(response).await,
            Err(error) => panic!("{error:?}; the relay's log:\n{}", self.program.log()),
        }
    }

    /// Writes bytes that no client would write, and reads until the relay hangs up.
    pub(crate) fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// As the integrator: registers or amends.
    pub(crate) async fn put(&self, kind: &str, id: &str, body: &Value) -> Reply {
        let request = self.request(Method::PUT, &format!("/records/{kind}/{id}")).bearer_auth(INTEGRATOR_TOKEN);
        self.send(request.header("Content-Type", "application/json").body(body.to_string())).await
    }

    /// As the integrator: registers a new record.
    pub(crate) async fn register(&self, kind: &str, id: &str, body: &Value) -> Value {
        self.put(kind, id, body).await.expect(201).json()
    }

    /// As the integrator: reads a record.
    pub(crate) async fn record(&self, kind: &str, id: &str) -> Value {
        let request = self.request(Method::GET, &format!("/records/{kind}/{id}")).bearer_auth(INTEGRATOR_TOKEN);
        self.send(request).await.expect(200).json()
    }

    /// As Transform: gets any path.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path).bearer_auth(TRANSFORM_TOKEN)).await
    }

    /// As the integrator: reads what the relay says of itself.
    pub(crate) async fn ready(&self) -> Reply {
        self.send(self.request(Method::GET, "/readyz").bearer_auth(INTEGRATOR_TOKEN)).await
    }

    /// As Transform: fetches a record.
    pub(crate) async fn fetch(&self, kind: &str, id: &str) -> Reply {
        self.get(&format!("/api/{kind}/{id}")).await
    }

    /// As Transform: fetches a record that did not fail.
    pub(crate) async fn fetched(&self, kind: &str, id: &str) -> Value {
        self.fetch(kind, id).await.expect(200).json()
    }

    /// Posts a notification as it is.
    pub(crate) async fn post(
        &self,
        source: &str,
        headers: &[(String, String)],
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        let mut request = self.request(Method::POST, &format!("/notifications/{source}")).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.send(request).await
    }

    /// As the PSP behind a source: signs a notification and posts it.
    pub(crate) async fn notify(&self, source: &str, notification: &Value) -> Reply {
        let sealed = psp::seal(source, notification.to_string().as_bytes());
        self.post(source, &sealed.headers, sealed.body).await
    }

    /// As Stripe: posts an event; returns its outcome.
    pub(crate) async fn stripe(&self, event: &Value) -> String {
        let reply = self.notify("stripe-main", event).await.expect(200);
        // A repetition gets the answer of the first.
        if reply.header("idempotent-replayed") == "true" {
            return "repeated".to_owned();
        }
        reply.json()["outcome"].as_str().unwrap().to_owned()
    }

    /// Waits until everything that was due before now has been told: another record changes, is told, and is settled.
    /// Deliveries go in the order of their due times, so an unwanted webhook would have come by then.
    pub(crate) async fn caught_up(&self, transform: &Transform) {
        let n = self.watched.replace(self.watched.get() + 1);
        let (id, psp_id) = (format!("watch-{n}"), format!("pi_watch_{n}"));
        self.register("payment", &id, &payment(&psp_id, "1.00")).await;
        assert_eq!(self.stripe(&stripe::paid(&psp_id, 1_700_000_000, 100)).await, "applied");
        transform.told("payment", &id, 1).await;
        self.program.logged(&["told Transform", &format!("record=payment/{id} ")]).await;
    }
}

async fn begin(setup: &Setup, folder: &TempDir, transform: &str) -> (Program, String) {
    let program = spawned(setup, folder, transform);
    let url = listening(&program).await;
    (program, url)
}

fn spawned(setup: &Setup, folder: &TempDir, transform: &str) -> Program {
    let file = setup.write(folder.path(), transform);
    let arguments = ["serve", "--config", file.to_str().unwrap()];
    Program::start_after(&setup.before, &arguments, &setup.environment())
}

async fn listening(program: &Program) -> String {
    let line = program.logged(&["listening address="]).await;
    let address = transform_relay::proof::stand_in::listening(&line).unwrap();
    format!("http://{address}")
}
