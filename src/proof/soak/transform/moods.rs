//! Answers of the stand-in for Transform to webhooks, mood by mood.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::stand_in::Transform;
use super::webhook::told_of;
use super::wire::{Request, answer, closed};
use crate::proof::soak::lives::Chance;
use crate::proof::soak::script::Mood;
use crate::proof::soak::world::{Key, one};

/// The longest wait for the relay to close a connection that it gave up. It closes such a connection long before.
const CLOSING_PATIENCE: Duration = Duration::from_secs(2);
/// The longest time to hang. The relay gives up an attempt long before this.
const HANGING_MAX: Duration = Duration::from_secs(60);

impl Transform {
    /// Takes one webhook after the other on a connection.
    pub(super) async fn converse(self: Arc<Self>, mut stream: TcpStream) {
        let mut mood = self.mood.subscribe();
        loop {
            let request = tokio::select! {
                request = Request::read(&mut stream) => request,
                // A host that refuses connections has closed its old ones, too.
                _ = mood.wait_for(|mood| *mood == Mood::Refused) => return,
            };
            let Some(request) = request else { return };
            if request.line != "POST /webhooks HTTP/1.1" || request.header("content-type") != "application/json" {
                self.world.violated(format!("Transform was sent another request than a webhook: {:?}", request.line));
                return;
            }
            let key = match told_of(&request.body) {
                Ok(key) => key,
                Err(error) => return self.world.violated(format!("Transform was sent a wrong webhook: {error:#}")),
            };
            if !self.answer(&mut stream, &key).await {
                return;
            }
        }
    }

    /// Answers a webhook. Returns whether the connection can be used again.
    async fn answer(&self, stream: &mut TcpStream, key: &Key) -> bool {
        let number = self.dice.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut chance = Chance::of(self.world.seed, "answer", number);
        let flight = self.takes_off(key);
        let mood = match self.mood() {
            Mood::Choking if key.1.ends_with(['0', '1', '2', '3']) => Mood::Failing,
            Mood::Choking => Mood::Healthy,
            mood => mood,
        };
        if mood == Mood::Hanging {
            let gone = closed(stream, HANGING_MAX).await;
            self.lands(key, &flight);
            if !gone {
                self.world.violated(format!("{} {}: the relay waits for an answer without a limit", key.0, key.1));
            }
            return false;
        }
        if mood == Mood::Slow {
            sleep(Duration::from_millis(chance.millis(300, 2_000))).await;
        }
        // A record is read before its webhook is answered 2xx. Before other answers it may be read as well.
        let tells = matches!(mood, Mood::Healthy | Mood::Slow) || mood == Mood::Endless && chance.one_in(2);
        let read = (tells || chance.one_in(3)) && self.read(key).await.is_ok();
        if self.lands(key, &flight) && !closed(stream, CLOSING_PATIENCE).await {
            self.world.violated(format!("{} {}: two webhooks in flight at once", key.0, key.1));
        }
        if tells && read {
            self.world.told(key);
            one(&self.world.count.told);
        }
        match mood {
            Mood::Healthy | Mood::Slow if read => {
                let status = chance.pick(&["200 OK", "202 Accepted", "204 No Content"]);
                if status.starts_with("204") {
                    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_ok()
                } else {
                    answer(stream, status, "").await
                }
            }
            Mood::Healthy | Mood::Slow => answer(stream, "502 Bad Gateway", "").await,
            Mood::Failing => answer(stream, "500 Internal Server Error", "").await,
            Mood::Throttling => answer(stream, "429 Too Many Requests", "Retry-After: 1\r\n").await,
            Mood::Redirecting => {
                let elsewhere = format!("Location: http://{}/elsewhere\r\n", self.address);
                answer(stream, "302 Found", &elsewhere).await
            }
            Mood::Endless => {
                let status = if tells && read { "200 OK" } else { "503 Service Unavailable" };
                endless(stream, status).await;
                false
            }
            Mood::Garbage => {
                drop(stream.write_all(b"SSH-2.0-not_http\r\n\0\xff\xfe what?\r\n\r\n").await);
                false
            }
            Mood::Closing | Mood::Refused | Mood::Hanging | Mood::Choking => false,
        }
    }
}

/// Sends a body without end, until the other side closes the connection.
async fn endless(stream: &mut TcpStream, status: &str) {
    let head = format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n");
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    let until = tokio::time::Instant::now() + HANGING_MAX;
    while tokio::time::Instant::now() < until && stream.write_all(chunk.as_bytes()).await.is_ok() {
        sleep(Duration::from_millis(1)).await;
    }
}
