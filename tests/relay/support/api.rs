//! A scripted stand-in for a PSP's API.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::transform::Gate;
use super::within;

/// The response to one call.
#[derive(Debug)]
pub(crate) enum Told {
    /// The response has this status, these headers and this body.
    With(u16, Vec<(&'static str, String)>, String),
    /// The response is the object as it is once the [`Gate`] is opened.
    Held(mpsc::Receiver<()>),
    /// There is no response, until the relay hangs up.
    Hang,
    /// The connection is closed.
    Close,
    /// The response is 200 and a body without an end.
    Endless,
}

impl Told {
    pub(crate) fn status(status: u16) -> Self {
        Self::With(status, Vec::new(), r#"{"error":"scripted"}"#.to_owned())
    }

    pub(crate) fn header(status: u16, name: &'static str, value: impl Into<String>) -> Self {
        Self::With(status, vec![(name, value.into())], "{}".to_owned())
    }

    pub(crate) fn body(body: impl Into<String>) -> Self {
        Self::With(200, Vec::new(), body.into())
    }

    /// A response that waits for the test.
    pub(crate) fn held() -> (Self, Gate) {
        let (open, gate) = mpsc::channel();
        (Self::Held(gate), Gate::new(open))
    }
}

/// A call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// Header names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// How many other calls had no response yet.
    pub(crate) beside: usize,
    /// Whether another call of the same path had no response yet.
    pub(crate) overlaps: bool,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

#[derive(Debug)]
struct State {
    calls: watch::Sender<Vec<Call>>,
    script: Mutex<VecDeque<Told>>,
    objects: Mutex<HashMap<String, String>>,
    /// Calls with another Authorization get a 401.
    authorization: Mutex<Option<String>>,
    /// Calls whose path contains this never get a response.
    hangs_at: Mutex<Option<String>>,
    under_way: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

/// An API on 127.0.0.1. A call beyond the script gets the object of its path, or 404.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

impl Api {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            calls: watch::channel(Vec::new()).0,
            script: Mutex::default(),
            objects: Mutex::default(),
            authorization: Mutex::default(),
            hangs_at: Mutex::default(),
            under_way: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    /// `http://address:port`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next responses, in order.
    pub(crate) fn script(&self, told: impl IntoIterator<Item = Told>) {
        self.state.script.lock().unwrap().extend(told);
    }

    /// From now on an object is this one.
    pub(crate) fn put(&self, path: &str, object: &Value) {
        self.state.objects.lock().unwrap().insert(path.to_owned(), object.to_string());
    }

    /// From now on only this Authorization is let in.
    pub(crate) fn demand(&self, authorization: &str) {
        *self.state.authorization.lock().unwrap() = Some(authorization.to_owned());
    }

    /// From now on calls whose path contains this hang.
    pub(crate) fn hangs_at(&self, part: &str) {
        *self.state.hangs_at.lock().unwrap() = Some(part.to_owned());
    }

    /// All calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state.calls.borrow().clone()
    }

    /// Waits for the n-th call; all so far.
    pub(crate) async fn nth(&self, n: usize) -> Vec<Call> {
        let mut calls = self.state.calls.subscribe();
        within(&format!("call {n}"), calls.wait_for(|calls| calls.len() >= n)).await.unwrap().clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // One more connection makes the listener wake up and end.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, state: &State) {
    let mut stream = BufReader::new(stream);
    while let Some(mut call) = read(&mut stream) {
        let path = call.path.clone();
        {
            let mut under_way = state.under_way.lock().unwrap();
            (call.beside, call.overlaps) = (under_way.len(), under_way.contains(&path));
            under_way.push(path.clone());
        }
        let let_in = state.authorization.lock().unwrap().as_ref().is_none_or(|it| *it == call.header("authorization"));
        let told = state.script.lock().unwrap().pop_front();
        state.calls.send_modify(|calls| calls.push(call));
        let object = || match state.objects.lock().unwrap().get(&path) {
            Some(object) => Told::body(object.clone()),
            None => Told::status(404),
        };
        let hangs = state.hangs_at.lock().unwrap().as_ref().is_some_and(|part| path.contains(part));
        let told = match told {
            _ if hangs => Told::Hang,
            _ if !let_in => Told::status(401),
            Some(Told::Held(gate)) => gate.recv().map_or(Told::Close, |()| object()),
            Some(told) => told,
            None => object(),
        };
        let ends = answer(&mut stream, told);
        let mut under_way = state.under_way.lock().unwrap();
        let at = under_way.iter().position(|other| *other == path).unwrap();
        under_way.remove(at);
        if ends {
            return;
        }
    }
}

/// Writes the response; returns whether the connection ends with it.
fn answer(stream: &mut BufReader<TcpStream>, told: Told) -> bool {
    match told {
        Told::With(status, headers, body) => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
            stream.get_mut().write_all(head.as_bytes()).is_err()
        }
        Told::Hang => {
            // Returns when the relay hangs up.
            drop(stream.read(&mut [0]));
            true
        }
        Told::Endless => {
            let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
            let head = "HTTP/1.1 200 Scripted\r\ntransfer-encoding: chunked\r\n\r\n";
            let _all_written = stream.get_mut().write_all(head.as_bytes()).is_ok()
                && (0..10_000).all(|_| stream.get_mut().write_all(chunk.as_bytes()).is_ok());
            true
        }
        Told::Close | Told::Held(_) => true,
    }
}

/// Reads one call; none when the connection ends.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Call> {
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
    Some(Call { at: Instant::now(), method, path, headers, beside: 0, overlaps: false })
}
