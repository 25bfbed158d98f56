//! A scripted stand-in for Transform: an HTTP/1.1 server written by hand, since it must also hang, hang up and break
//! off.

use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::setup::TRANSFORM_TOKEN;
use super::tls::Certificate;
use super::within;

/// The response to one webhook.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The response has this status and these headers.
    With(u16, Vec<(&'static str, String)>),
    /// The response has this status, once the [`Gate`] is opened.
    Held(u16, mpsc::Receiver<()>),
    /// There is no response, until the relay hangs up.
    Hang,
    /// The connection is closed.
    Close,
    /// The response is these bytes and no more; then as [`Self::Hang`].
    Part(Vec<u8>),
    /// The response is these bytes; then the connection is closed.
    Broken(Vec<u8>),
    /// The response is the first bytes, then the others again and again until the relay hangs up.
    Endless(Vec<u8>, Vec<u8>),
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::With(status, Vec::new())
    }

    pub(crate) fn header(status: u16, name: &'static str, value: impl Into<String>) -> Self {
        Self::With(status, vec![(name, value.into())])
    }

    /// A response that waits for the test.
    pub(crate) fn held(status: u16) -> (Self, Gate) {
        let (open, gate) = mpsc::channel();
        (Self::Held(status, gate), Gate(open))
    }
}

/// Releases a response; if it is dropped unopened, the connection breaks off.
#[derive(Debug)]
pub(crate) struct Gate(mpsc::Sender<()>);

impl Gate {
    pub(crate) fn new(open: mpsc::Sender<()>) -> Self {
        Self(open)
    }

    pub(crate) fn open(self) {
        self.0.send(()).unwrap();
    }
}

/// A webhook as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Header names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Whether another webhook with the same body had no response yet.
    pub(crate) overlaps: bool,
    /// The answer to a fetch that was made on receipt, before the response.
    pub(crate) fetched: Option<Value>,
}

impl Hook {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The body of a webhook of that kind.
pub(crate) fn webhook(kind: &str, id: &str) -> Value {
    match kind {
        "agreement" => json!({"AgreementId": id, "Type": 4}),
        _ => json!({"TransactionId": id, "Type": code(kind)}),
    }
}

fn code(kind: &str) -> u8 {
    ["preauth", "payment", "refund"].iter().zip(1..).find(|(name, _)| **name == kind).unwrap().1
}

#[derive(Debug)]
struct State {
    hooks: watch::Sender<Vec<Hook>>,
    /// The time of each response, in the order of the responses.
    answered: Mutex<Vec<Instant>>,
    script: Mutex<VecDeque<Answer>>,
    /// Webhooks that name this get a 500.
    chokes_on: Mutex<Option<String>>,
    under_way: Mutex<HashSet<String>>,
    /// How often the relay has hung up on a response.
    hung_up: watch::Sender<usize>,
    /// The address to fetch the record from on receipt.
    relay: Mutex<Option<String>>,
    stopped: AtomicBool,
}

/// A Transform on 127.0.0.1. Webhooks beyond the script get a 200.
#[derive(Debug)]
pub(crate) struct Transform {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

impl Transform {
    pub(crate) fn start() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn listen(address: SocketAddr) -> Self {
        Self::listen_by(address, |stream, state| serve(&stream, state))
    }

    /// The same by https.
    pub(crate) fn start_tls(certificate: &Certificate) -> Self {
        let server = Arc::clone(&certificate.server);
        Self::listen_by("127.0.0.1:0".parse().unwrap(), move |stream, state| {
            let connection = rustls::ServerConnection::new(Arc::clone(&server)).unwrap();
            serve(rustls::StreamOwned::new(connection, stream), state);
        })
    }

    fn listen_by(address: SocketAddr, serve: impl Fn(TcpStream, &State) + Send + Sync + 'static) -> Self {
        let serve = Arc::new(serve);
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            hooks: watch::channel(Vec::new()).0,
            answered: Mutex::default(),
            script: Mutex::default(),
            chokes_on: Mutex::default(),
            under_way: Mutex::default(),
            hung_up: watch::channel(0).0,
            relay: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (state, serve) = (Arc::clone(&shared), Arc::clone(&serve));
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    /// The next responses, in order.
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.script.lock().unwrap().extend(answers);
    }

    /// From now on webhooks that name this get a 500, where the script says nothing else.
    pub(crate) fn choke_on(&self, text: &str) {
        *self.state.chokes_on.lock().unwrap() = Some(text.to_owned());
    }

    /// From now on every record is fetched from there as soon as a webhook tells of it.
    pub(crate) fn fetch_from(&self, relay: &str) {
        *self.state.relay.lock().unwrap() = Some(relay.strip_prefix("http://").unwrap().to_owned());
    }

    /// All webhooks so far.
    pub(crate) fn hooks(&self) -> Vec<Hook> {
        self.state.hooks.borrow().clone()
    }

    /// Waits for the n-th webhook; returns all so far.
    pub(crate) async fn nth(&self, n: usize) -> Vec<Hook> {
        let mut hooks = self.state.hooks.subscribe();
        within(&format!("webhook {n}"), hooks.wait_for(|hooks| hooks.len() >= n)).await.unwrap().clone()
    }

    /// Waits for the n-th webhook about this record; returns all about it so far.
    pub(crate) async fn told(&self, kind: &str, id: &str, n: usize) -> Vec<Hook> {
        let wanted = webhook(kind, id).to_string();
        let about = |hooks: &[Hook]| hooks.iter().filter(|hook| hook.body == wanted).cloned().collect::<Vec<_>>();
        let mut hooks = self.state.hooks.subscribe();
        let enough = hooks.wait_for(|hooks| about(hooks).len() >= n);
        let enough = within(&format!("webhook {n} about {kind}/{id}"), enough).await.unwrap();
        about(&enough)
    }

    /// How often this record was told so far.
    pub(crate) fn count(&self, kind: &str, id: &str) -> usize {
        let wanted = webhook(kind, id).to_string();
        self.state.hooks.borrow().iter().filter(|hook| hook.body == wanted).count()
    }

    /// Waits until the relay has hung up on this many endless responses.
    pub(crate) async fn hung_up(&self, times: usize) {
        let mut hung_up = self.state.hung_up.subscribe();
        within("the relay to hang up", hung_up.wait_for(|count| *count >= times)).await.unwrap();
    }

    /// The time just before the n-th response (from 0) was written.
    pub(crate) fn answered(&self, n: usize) -> Instant {
        self.state.answered.lock().unwrap()[n]
    }
}

impl Drop for Transform {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // One more connection makes the listener wake up and end.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: impl Read + Write, state: &State) {
    let mut stream = BufReader::new(stream);
    while let Some(mut hook) = read(&mut stream) {
        if let Some(relay) = state.relay.lock().unwrap().clone() {
            hook.fetched = Some(fetch(&relay, &hook.json()));
        }
        hook.overlaps = !state.under_way.lock().unwrap().insert(hook.body.clone());
        let body = hook.body.clone();
        let chokes = state.chokes_on.lock().unwrap().as_ref().is_some_and(|text| hook.body.contains(text));
        let otherwise = || Answer::status(if chokes { 500 } else { 200 });
        let answer = state.script.lock().unwrap().pop_front().unwrap_or_else(otherwise);
        state.hooks.send_modify(|hooks| hooks.push(hook));
        let (status, headers) = match answer {
            Answer::With(status, headers) => (status, headers),
            Answer::Held(status, gate) if gate.recv().is_ok() => (status, Vec::new()),
            unfinished => {
                leave_unfinished(&mut stream, unfinished, state);
                state.under_way.lock().unwrap().remove(&body);
                return;
            }
        };
        state.under_way.lock().unwrap().remove(&body);
        state.answered.lock().unwrap().push(Instant::now());
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 2\r\n{headers}\r\nok");
        if write(&mut stream, head.as_bytes()).is_err() {
            return;
        }
    }
}

/// How often an endless response repeats itself; more would only keep the machine busy.
const ENDLESS: usize = 2000;

/// Responds as no server should, and leaves it to the relay to hang up.
fn leave_unfinished(stream: &mut BufReader<impl Read + Write>, answer: Answer, state: &State) {
    let (first, again) = match answer {
        Answer::Hang => (Vec::new(), None),
        Answer::Part(part) => (part, None),
        Answer::Endless(first, again) => (first, Some(again)),
        Answer::Broken(bytes) => {
            drop(write(stream, &bytes));
            return;
        }
        _ => return,
    };
    drop(write(stream, &first));
    if let Some(again) = again {
        let _all_written = (0..ENDLESS).all(|_| write(stream, &again).is_ok());
    }
    // Returns when the relay hangs up.
    drop(stream.read(&mut [0]));
    state.hung_up.send_modify(|count| *count += 1);
}

fn write(stream: &mut BufReader<impl Read + Write>, bytes: &[u8]) -> std::io::Result<()> {
    stream.get_mut().write_all(bytes)?;
    stream.get_mut().flush()
}

/// Reads one request; none when the connection ends.
fn read(reader: &mut BufReader<impl Read>) -> Option<Hook> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let mut parts = first.split_whitespace().map(str::to_owned);
    let (method, path) = (parts.next()?, parts.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Hook { at: Instant::now(), method, path, headers, body, overlaps: false, fetched: None })
}

/// Fetches the record of a webhook, by transaction id and type code.
fn fetch(relay: &str, told: &Value) -> Value {
    let id = told.get("TransactionId").or_else(|| told.get("AgreementId")).and_then(Value::as_str).unwrap();
    let path = format!("/api/transactions/{id}?type={}", told["Type"]);
    let mut stream = TcpStream::connect(relay).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer {TRANSFORM_TOKEN}\r\n");
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}
