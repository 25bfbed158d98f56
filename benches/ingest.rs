//! Benchmark of ingest: how fast notifications are taken while Transform is healthy, dead, or hanging.
//!
//! Three relays, one for each case, take the same notifications in turns. The two relays that are not in turn are stopped.
//! The measure is the ratio of neighbouring windows. The benchmark fails if a dead or hanging Transform slows down the
//! taking of notifications. It also fails if one is refused while secrets are rotated and configurations reloaded all the
//! time. Other figures are only printed.
//!
//! `cargo bench --bench ingest` takes a minute and a half, with the machine to itself.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what goes wrong here ends the measurement"
)]
#![expect(clippy::as_conversions, clippy::float_arithmetic, reason = "rates are not money")]

use std::fmt::Write as _;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use transform_relay::proof::stand_in::{self, Response, Scripted, Transform};
use transform_relay::psp::profile::catalogue::Catalogue;
use transform_relay::psp::vouch::sign::sign;
use transform_relay::psp::vouch::verify::Means;

const PROGRAM: &str = env!("CARGO_BIN_EXE_transform-relay");
/// The part of the healthy rate below which the benchmark fails.
const RATIO_MIN: f64 = 0.8;
/// The turns of each relay.
const TURNS: usize = 5;
const WINDOW: Duration = Duration::from_secs(3);
/// The lead-in before each window, so that a stopped relay is awake.
const LEAD_IN: Duration = Duration::from_millis(700);
/// The longest wait for an answer: no answer takes that long.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECTIONS: usize = 32;
/// More connections than the relay takes at once.
const CONNECTIONS_BEYOND: usize = 512;
/// The records, which change in turns. They are so many that each is told before it changes again.
const RECORDS: usize = 2048;
const SECRET: &str = "whsec_bench";
const TOKEN: &str = "bench";

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches, too, but without `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let healthy = Relay::start(Mood::Healthy);
    let dead = Relay::start(Mood::Dead);
    let hanging = Relay::start(Mood::Hanging);
    let (mut of_dead, mut of_hanging) = (Vec::new(), Vec::new());
    for turn in 1..=TURNS {
        let (well, refused, hung) = (healthy.turn(), dead.turn(), hanging.turn());
        println!("turn {turn}: healthy {well}; dead {refused}; hanging {hung}");
        of_dead.push(refused.rate() / well.rate());
        of_hanging.push(hung.rate() / well.rate());
    }
    let (dead_ratio, hanging_ratio) = (median(of_dead), median(of_hanging));
    println!("webhooks: healthy {}, hanging {}", healthy.webhooks(), hanging.webhooks());
    println!("dead / healthy:    {dead_ratio:.2}");
    println!("hanging / healthy: {hanging_ratio:.2}");
    healthy.signal("CONT");
    let (at, beyond) = (healthy.load(CONNECTIONS, WINDOW), healthy.load(CONNECTIONS_BEYOND, WINDOW));
    let (rates, latencies) = (beyond.rate() / at.rate(), beyond.worst.as_secs_f64() / at.worst.as_secs_f64());
    println!("{CONNECTIONS} connections: {at}; {CONNECTIONS_BEYOND}: {beyond}");
    println!("beyond capacity / at capacity: rate {rates:.2}, worst latency of what was taken {latencies:.2}");
    let (calm, (rotating, rotations)) = (healthy.load(CONNECTIONS, WINDOW), healthy.load_while_rotating());
    println!("calm: {calm}; while a secret was rotated {rotations} times: {rotating}");
    println!("rotating / calm: {:.2}", rotating.rate() / calm.rate());
    if rotations == 0 || rotating.refused > 0 {
        eprintln!("rotating a secret and reloading made the relay refuse notifications");
        return ExitCode::FAILURE;
    }
    if dead_ratio < RATIO_MIN || hanging_ratio < RATIO_MIN {
        eprintln!("a Transform that is dead or hangs slows down the taking of notifications: below {RATIO_MIN}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().expect("there was a turn")
}

/// The work of a relay in one window.
struct Window {
    taken: usize,
    refused: usize,
    lasted: Duration,
    /// The longest time of a notification that was taken.
    worst: Duration,
}

impl Window {
    fn rate(&self) -> f64 {
        self.taken as f64 / self.lasted.as_secs_f64()
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}/s (worst {} ms", self.rate(), self.worst.as_millis())?;
        if self.refused > 0 {
            write!(f, ", {} refused", self.refused)?;
        }
        f.write_str(")")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Healthy,
    /// Does not listen.
    Dead,
    /// Takes webhooks and never answers.
    Hanging,
}

impl Mood {
    /// Starts a Transform of this mood. Returns it, and the count of the webhooks that it took.
    fn start(self) -> (Transform, Arc<AtomicUsize>) {
        let taken = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&taken);
        let transform = Transform::start(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            if self == Self::Hanging { Scripted::Hang } else { Scripted::status(200) }
        });
        let transform = transform.unwrap();
        transform.refuses(self == Self::Dead).unwrap();
        (transform, taken)
    }
}

struct Relay {
    child: stand_in::Relay,
    address: SocketAddr,
    _transform: Transform,
    webhooks: Arc<AtomicUsize>,
    /// The number of notifications made so far.
    made: AtomicUsize,
    /// The number of notifications that may fit into a window.
    enough: AtomicUsize,
    _folder: TempDir,
}

impl Relay {
    fn start(mood: Mood) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (transform, webhooks) = mood.start();
        // The file that the rotations write. There was no rotation yet.
        std::fs::write(folder.path().join("secrets.toml"), "").unwrap();
        let config = configuration(folder.path(), transform.address());
        let child = stand_in::Relay::new(PROGRAM.into(), folder.path(), &config).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(child.start()).unwrap();
        let address = child.address().unwrap();
        let (made, enough) = (AtomicUsize::new(0), AtomicUsize::new(20_000));
        let relay = Self { child, address, _transform: transform, webhooks, made, enough, _folder: folder };
        let registrations: Vec<_> = (0..RECORDS).map(registration).collect();
        let registered = relay.send(registrations, CONNECTIONS, Duration::from_secs(60));
        assert_eq!(registered.taken, RECORDS, "not all records were registered");
        relay.signal("STOP");
        relay
    }

    fn webhooks(&self) -> usize {
        self.webhooks.load(Ordering::Relaxed)
    }

    fn signal(&self, name: &str) {
        self.child.signal(name).unwrap();
    }

    /// The relay's turn: one window while the other relays are stopped.
    fn turn(&self) -> Window {
        self.signal("CONT");
        self.load(CONNECTIONS, LEAD_IN);
        let window = self.load(CONNECTIONS, WINDOW);
        self.signal("STOP");
        window
    }

    /// Sends as many notifications as the relay takes in this time over this many connections.
    fn load(&self, connections: usize, time: Duration) -> Window {
        let many = self.enough.load(Ordering::Relaxed);
        let from = self.made.fetch_add(many, Ordering::Relaxed);
        let window = self.send(notifications(from, many), connections, time);
        // The count follows the rate: no time is wasted on a slow machine, and a quick one has enough for the next window.
        let per_window = window.rate() * WINDOW.as_secs_f64();
        self.enough.store((per_window * 1.5) as usize + 1000, Ordering::Relaxed);
        window
    }

    /// Runs a window in which the source's secret is rotated and the configuration reloaded, without a pause.
    fn load_while_rotating(&self) -> (Window, usize) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let rotations = scope.spawn(|| {
                let mut rotations = 0;
                while !over.load(Ordering::Relaxed) {
                    let mut command = Command::new(PROGRAM);
                    command.args(["secret", "rotate", "stripe", "--overlap", "0", "--config"]).arg(self.child.config());
                    let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
                    assert!(done.success(), "the secret could not be rotated");
                    rotations += 1;
                }
                rotations
            });
            let window = self.load(CONNECTIONS, WINDOW);
            over.store(true, Ordering::Relaxed);
            (window, rotations.join().expect("the rotations"))
        })
    }

    /// Sends the requests until all are sent or the time is over.
    fn send(&self, requests: Vec<Vec<u8>>, connections: usize, time: Duration) -> Window {
        let (next, done) = (AtomicUsize::new(0), Mutex::new((0, 0, Duration::ZERO)));
        let began = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| {
                    let stream = TcpStream::connect(self.address).unwrap();
                    stream.set_nodelay(true).unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
                    let (mut taken, mut refused, mut worst) = (0, 0, Duration::ZERO);
                    while began.elapsed() < time {
                        let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                        let sent = Instant::now();
                        writer.write_all(request).unwrap();
                        let answer = Response::read(&mut reader).expect("an answer");
                        match answer.status {
                            200 | 201 if !answer.body.contains("outcome") || answer.body.contains("applied") => {
                                taken += 1;
                                worst = worst.max(sent.elapsed());
                            }
                            503 => refused += 1,
                            _ => panic!("{answer:?}"),
                        }
                    }
                    let mut done = done.lock().unwrap();
                    *done = (done.0 + taken, done.1 + refused, done.2.max(worst));
                });
            }
        });
        let (taken, refused, worst) = done.into_inner().unwrap();
        Window { taken, refused, lasted: began.elapsed(), worst }
    }
}

fn configuration(folder: &Path, transform: SocketAddr) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
[store]
path = "{}"
[debounce]
quiet = "100ms"
max_wait = "1s"
[transform]
allowed_hosts = ["{transform}"]
webhook_target = "http://{transform}/"
[integrator]
tokens = ["{TOKEN}"]
[sources.stripe]
profile = "stripe"
secrets_file = "secrets.toml"
secrets = ["{SECRET}"]
"#,
        stand_in::database(folder).display()
    )
}

fn registration(n: usize) -> Vec<u8> {
    let body = format!(r#"{{"pspTransactionId":"pi_{n}","requestedAmount":1000000,"currency":"EUR"}}"#);
    let headers = [("authorization".to_owned(), format!("Bearer {TOKEN}"))];
    request(&format!("PUT /records/payment/tx-{n}"), &headers, body.as_bytes())
}

/// Makes signed notifications. Each changes the next record: one cent more was paid.
fn notifications(from: usize, many: usize) -> Vec<Vec<u8>> {
    let catalogue = Catalogue::built_in().unwrap();
    let profile = &catalogue.get("stripe").unwrap().profile;
    let secret = SECRET.to_owned().into();
    let means = Means::secret(&secret);
    let now = jiff::Timestamp::now().as_second();
    let one = |n: usize| {
        let (record, round) = (n % RECORDS, n / RECORDS + 1);
        let created = 1_700_000_000 + round;
        let body = format!(
            r#"{{"id":"evt_{n}","type":"payment_intent.succeeded","created":{created},"data":{{"object":{{"object":"payment_intent","id":"pi_{record}","amount":100000000,"amount_received":{round},"currency":"eur"}}}}}}"#
        );
        let signed = sign(profile, None, &means, now, "msg_1", body.as_bytes()).unwrap();
        request("POST /notifications/stripe", &signed.headers, &signed.body)
    };
    (from..from + many).map(one).collect()
}

fn request(line: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nhost: relay\r\ncontent-type: application/json\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "content-length: {}\r\n\r\n", body.len()).unwrap();
    [head.as_bytes(), body].concat()
}
