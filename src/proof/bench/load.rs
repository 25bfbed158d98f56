//! The load generator: one thread, many connections that are kept alive, and requests that were made ahead. Of an answer only the
//! status and the length are read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::process;
use super::wire::Requests;

/// The longest wait for an answer: no answer takes that long.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer.
const ANSWER_MAX: usize = 1024 * 1024;

/// A load on one address.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) requests: Requests,
    pub(super) connections: usize,
    pub(super) lasts: Duration,
    /// Whether the requests begin anew after the last one. Otherwise the load ends with them.
    pub(super) again: bool,
    /// Requests a second, sent at their times whatever the answers. Without a rate, each connection sends when it has its answer.
    pub(super) rate: Option<f64>,
}

/// What came of a load.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    /// The answers with a 2xx.
    pub(super) answered: usize,
    /// The answers with 503: the relay refuses what is too much for it.
    pub(super) refused: usize,
    /// The time from the first request to the last answer.
    pub(super) lasted: Duration,
    /// The time of each 2xx in seconds, in no order.
    pub(super) latencies: Vec<f64>,
    /// When each 2xx came, with the number of its request.
    pub(super) answers: Vec<(usize, Instant)>,
    /// The processor time of the generator, where it is known.
    pub(super) own: Option<Duration>,
}

impl Window {
    /// 2xx a second.
    pub(super) fn rate(&self) -> f64 {
        self.answered as f64 / self.lasted.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The generator's share of one processor.
    pub(super) fn own_share(&self) -> Option<f64> {
        Some(self.own?.as_secs_f64() / self.lasted.as_secs_f64().max(f64::MIN_POSITIVE))
    }

    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.latencies.extend(other.latencies);
        self.answers.extend(other.answers);
    }
}

impl Load {
    /// Sends the load on a thread of its own, and waits for all answers.
    ///
    /// # Errors
    /// A connection fails, or an answer is neither a 2xx nor a 503.
    pub(super) async fn send(self) -> anyhow::Result<Window> {
        tokio::task::spawn_blocking(move || self.sent()).await.context("the load generator panicked")?
    }

    fn sent(self) -> anyhow::Result<Window> {
        ensure!(!self.requests.is_empty(), "there is nothing to send");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let before = process::own_time();
        let mut window = runtime.block_on(self.windows())?;
        window.own = process::own_time().zip(before).map(|(now, before)| now.saturating_sub(before));
        Ok(window)
    }

    async fn windows(self) -> anyhow::Result<Window> {
        let mut streams = Vec::new();
        for _ in 0..self.connections {
            let stream = TcpStream::connect(self.address).await.context("cannot connect")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let began = Instant::now();
        let times = Arc::new(Semaphore::new(0));
        if let Some(rate) = self.rate {
            pace(Arc::clone(&times), began, rate, self.lasts)?;
        }
        let shared = Arc::new(Shared { load: self, next: AtomicUsize::new(0), began, times });
        let mut tasks = JoinSet::new();
        for stream in streams {
            tasks.spawn(Arc::clone(&shared).connection(stream));
        }
        let mut whole = Window::default();
        while let Some(ended) = tasks.join_next().await {
            whole.add(ended.context("a connection panicked")??);
        }
        whole.lasted = began.elapsed();
        Ok(whole)
    }
}

/// What all connections of a load share.
struct Shared {
    load: Load,
    next: AtomicUsize,
    began: Instant,
    /// A permit for each request whose time has come.
    times: Arc<Semaphore>,
}

/// Gives a permit at the time of each request. The runtime's own timers go by milliseconds: requests would come in bunches.
fn pace(times: Arc<Semaphore>, began: Instant, rate: f64, lasts: Duration) -> anyhow::Result<()> {
    let gives = move || {
        for number in 0_u32.. {
            let after = Duration::from_secs_f64(f64::from(number) / rate);
            if after >= lasts {
                break;
            }
            std::thread::sleep(after.saturating_sub(began.elapsed()));
            times.add_permits(1);
        }
    };
    std::thread::Builder::new().name("bench-pace".into()).spawn(gives).map(drop).context("no thread can be started")
}

impl Shared {
    async fn connection(self: Arc<Self>, mut stream: TcpStream) -> anyhow::Result<Window> {
        let mut window = Window::default();
        let mut buffer = Vec::with_capacity(16 * 1024);
        while let Some((number, request)) = self.request() {
            let Some(since) = self.at(number).await else { break };
            stream.write_all(request).await.context("the connection broke off")?;
            let status = timeout(PATIENCE, status(&mut stream, &mut buffer)).await;
            match status.map_err(|_| anyhow!("no answer came within {PATIENCE:?}"))?? {
                200..=299 => {
                    let now = Instant::now();
                    window.answered += 1;
                    window.latencies.push(now.saturating_duration_since(since).as_secs_f64());
                    window.answers.push((number, now));
                }
                503 => window.refused += 1,
                other => bail!("a request was answered {other}: {}", String::from_utf8_lossy(&buffer)),
            }
        }
        Ok(window)
    }

    /// The next request and its number. None after the time, or after the last request.
    fn request(&self) -> Option<(usize, &[u8])> {
        let Load { requests, lasts, again, .. } = &self.load;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let place = if *again { number % requests.len() } else { number };
        let request = requests.get(place)?;
        (self.began.elapsed() < *lasts).then_some((number, request))
    }

    /// Waits for the time of a request. Returns the time from which its answer counts: if all connections were busy at the
    /// request's time, the request has waited since then. None if its time is after the end.
    async fn at(&self, number: usize) -> Option<Instant> {
        let now = Instant::now();
        let Some(rate) = self.load.rate else { return Some(now) };
        let after = Duration::from_secs_f64(number as f64 / rate);
        let due = self.began + after;
        if after >= self.load.lasts {
            return None;
        }
        self.times.acquire().await.ok()?.forget();
        // A thread that wakes late is no wait of the request.
        Some(if due <= now { due } else { Instant::now() })
    }
}

/// Reads an answer to its end. Returns its status.
async fn status(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.context("the connection broke off")?;
        ensure!(read > 0, "the connection was closed before its answer");
        ensure!(buffer.len() <= ANSWER_MAX, "an answer has more than {ANSWER_MAX} bytes");
        if let Some((status, length)) = head(buffer)
            && buffer.len() >= length
        {
            return Ok(status);
        }
    }
}

/// The status of an answer, and its length with its head. None while its head is not there.
fn head(answer: &[u8]) -> Option<(u16, usize)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some((status, end + length.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_length() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(head(answer), Some((503, answer.len())));
        assert_eq!(head(&answer[..30]), None);
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\n\r\n"), Some((204, 27)));
    }
}
