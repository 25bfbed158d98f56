//! Answers of the soak's Transform to webhooks, mood by mood.

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use super::memory::Memory;
use crate::proof::soak::lives::Chance;
use crate::proof::soak::script::Mood;
use crate::proof::soak::world::one;
use crate::proof::stand_in::{Connection, Key, Scripted, Webhook, told_of};

/// The longest wait for the relay to close a connection that it gave up. It closes such a connection long before.
const CLOSING_PATIENCE: Duration = Duration::from_secs(2);
/// The longest time to hang. The relay gives up an attempt long before this.
const HANGING_MAX: Duration = Duration::from_secs(60);

impl Memory {
    /// Answers a webhook.
    pub(super) fn answer(&self, hook: &Webhook, connection: &Connection) -> Scripted {
        let line = (hook.method.as_str(), hook.path.as_str());
        if line != ("POST", "/webhooks") || hook.header("content-type") != "application/json" {
            self.world.violated(format!("Transform was sent another request than a webhook: {line:?}"));
            return Scripted::Close;
        }
        match told_of(hook.body.as_bytes()) {
            Ok(key) => self.answer_for(&key, hook, connection),
            Err(error) => {
                self.world.violated(format!("Transform was sent a wrong webhook: {error}"));
                Scripted::Close
            }
        }
    }

    fn answer_for(&self, key: &Key, hook: &Webhook, connection: &Connection) -> Scripted {
        let number = self.dice.fetch_add(1, Ordering::Relaxed);
        let mut chance = Chance::of(self.world.seed, "answer", number);
        let flight = self.takes_off(key);
        let mood = match self.mood() {
            Mood::Choking if key.1.ends_with(['0', '1', '2', '3']) => Mood::Failing,
            Mood::Choking => Mood::Healthy,
            mood => mood,
        };
        if mood == Mood::Hanging {
            let gone = connection.closed(HANGING_MAX);
            self.lands(key, &flight);
            if !gone {
                self.world.violated(format!("{} {}: the relay waits for an answer without a limit", key.0, key.1));
            }
            return Scripted::Close;
        }
        if mood == Mood::Slow {
            sleep(Duration::from_millis(chance.millis(300, 2_000)));
        }
        // A record is read before its webhook is answered 2xx. Before other answers it may be read as well.
        let tells = matches!(mood, Mood::Healthy | Mood::Slow) || mood == Mood::Endless && chance.one_in(2);
        let read = (tells || chance.one_in(3)) && self.read(key).is_ok();
        if self.lands(key, &flight) && !connection.closed(CLOSING_PATIENCE) {
            self.world.violated(format!("{} {}: two webhooks in flight at once", key.0, key.1));
        }
        if tells && read {
            self.world.told(key);
            one(&self.world.count.told);
        }
        match mood {
            Mood::Healthy | Mood::Slow if read => Scripted::status(chance.pick(&[200, 202, 204])),
            Mood::Healthy | Mood::Slow => Scripted::status(502),
            Mood::Failing => Scripted::status(500),
            Mood::Throttling => Scripted::header(429, "Retry-After", "1"),
            Mood::Redirecting => Scripted::header(302, "Location", format!("http://{}/elsewhere", hook.header("host"))),
            Mood::Endless => endless(if tells && read { 200 } else { 503 }),
            Mood::Garbage => Scripted::Broken(b"SSH-2.0-not_http\r\n\0\xff\xfe what?\r\n\r\n".to_vec()),
            Mood::Closing | Mood::Refused | Mood::Hanging | Mood::Choking => Scripted::Close,
        }
    }
}

/// A reply with a body without an end.
fn endless(status: u16) -> Scripted {
    let head = format!("HTTP/1.1 {status} Scripted\r\nTransfer-Encoding: chunked\r\n\r\n");
    Scripted::Endless(head.into_bytes(), format!("2000\r\n{}\r\n", "x".repeat(0x2000)).into_bytes())
}
