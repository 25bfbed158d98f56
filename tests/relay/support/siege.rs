//! Helpers for tests of hostile input: bytes that no client would write, and the question whether the relay still does
//! its work.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use tokio::task::JoinSet;

use super::{PATIENCE, Relay, Reply, payment, stripe};

impl Relay {
    /// A connection on which nothing was said yet.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Writes these bytes and no more, and reads until the relay hangs up. Returns the statuses of its answers, and the
    /// whole text.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> (Vec<u16>, String) {
        let mut stream = self.connect();
        // A client that is refused early is hung up on while it still writes.
        drop(stream.write_all(bytes));
        drop(stream.shutdown(Shutdown::Write));
        let answer = until_hung_up(&mut stream);
        (statuses(&answer), answer)
    }

    /// A valid registration and a valid notification do their work, and the store is sound.
    pub(crate) async fn still_serves(&self) {
        let id = format!("pi_served_{}", self.rows().records);
        self.register("payment", &id, &payment(&id, "10")).await;
        assert_eq!(self.stripe(&stripe::paid(&id, 1_700_000_000, 1000)).await, "applied");
        assert_eq!(self.fetched("Payment", &id).await["status"], "Succeeded");
        self.get("/readyz").await.expect(200);
        assert!(self.is_sound());
        assert!(!self.program.log().contains("panicked"));
    }

    /// Sends many requests, several at once; the replies in the order of the requests.
    pub(crate) async fn send_all(&self, requests: impl IntoIterator<Item = reqwest::RequestBuilder>) -> Vec<Reply> {
        const AT_ONCE: usize = 16;
        let (mut under_way, mut replies) = (JoinSet::new(), Vec::new());
        for (at, request) in requests.into_iter().enumerate() {
            if under_way.len() >= AT_ONCE {
                replies.push(under_way.join_next().await.unwrap().unwrap());
            }
            under_way.spawn(async move { (at, Reply::of(request.send().await.unwrap()).await) });
        }
        while let Some(reply) = under_way.join_next().await {
            replies.push(reply.unwrap());
        }
        replies.sort_by_key(|(at, _)| *at);
        replies.into_iter().map(|(_, reply)| reply).collect()
    }
}

/// Everything that comes until the relay hangs up, in whatever way. Fails if the relay never does.
pub(crate) fn until_hung_up(stream: &mut TcpStream) -> String {
    let (mut all, mut part) = (Vec::new(), [0; 64 * 1024]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(read) => all.extend_from_slice(&part[..read]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                panic!("the relay neither answers nor hangs up; so far: {}", String::from_utf8_lossy(&all));
            }
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The statuses of the answers in the text of a connection; an answer may begin in the line in which another ends.
pub(crate) fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.split("HTTP/1.").skip(1).filter_map(|line| line.split(' ').nth(1));
    lines.map(|status| status.parse().unwrap()).collect()
}
