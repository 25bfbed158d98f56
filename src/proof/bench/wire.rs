//! Requests that are made ahead, byte for byte: notifications as Stripe signs them, registrations and reads.

use std::sync::Arc;

use jiff::Timestamp;

use crate::proof::stand_in::{Psp, STACK_TOKEN, TRANSFORM_TOKEN};

/// The signing secret of the source.
pub(super) const SECRET: &str = "whsec_bench";
/// The source that is notified.
pub(super) const SOURCE: &str = "stripe";
/// The size of a notification's body in bytes: that of a usual `payment_intent.succeeded`.
const BODY: usize = 1_900;

/// Requests as they go over the wire.
pub(super) type Requests = Arc<Vec<Vec<u8>>>;

/// Makes notifications, each of them another event.
#[derive(Debug)]
pub(super) struct Notifications {
    psp: Psp,
    /// The records, which change in turns.
    records: usize,
    /// The number of notifications so far.
    made: usize,
}

impl Notifications {
    pub(super) fn of(records: usize) -> anyhow::Result<Self> {
        Ok(Self { psp: Psp::new(SOURCE, "stripe", SECRET)?, records, made: 0 })
    }

    /// The number of notifications that were made so far.
    pub(super) const fn made(&self) -> usize {
        self.made
    }

    /// The next notifications, signed now. Each changes the next record: one cent more was paid.
    pub(super) fn next(&mut self, many: usize) -> anyhow::Result<Requests> {
        let now = Timestamp::now();
        let from = self.made;
        self.made += many;
        let requests = (from..from + many).map(|number| {
            let body = event(number, number % self.records, number / self.records + 1);
            let signed = self.psp.sign(None, body.as_bytes(), now)?;
            Ok(request(&format!("POST /notifications/{SOURCE}"), &signed.headers, &signed.body))
        });
        requests.collect::<anyhow::Result<Vec<_>>>().map(Arc::new)
    }
}

/// An event: this record has now got so many cents.
fn event(number: usize, record: usize, cents: usize) -> String {
    let created = 1_700_000_000 + cents;
    let head = format!(
        r#"{{"id":"evt_{number:012}","object":"event","api_version":"2025-03-31.basil","created":{created},"data":{{"object":{{"id":"pi_{record}","object":"payment_intent","amount":100000000,"amount_capturable":0,"amount_received":{cents},"automatic_payment_methods":{{"allow_redirects":"always","enabled":true}},"canceled_at":null,"cancellation_reason":null,"capture_method":"automatic","confirmation_method":"automatic","created":1700000000,"currency":"eur","customer":"cus_bench","last_payment_error":null,"latest_charge":"ch_{record}","livemode":false,"metadata":{{"order":"{record}"}},"next_action":null,"payment_method":"pm_bench","payment_method_options":{{"card":{{"installments":null,"network":null,"request_three_d_secure":"automatic"}}}},"payment_method_types":["card"],"processing":null,"receipt_email":null,"review":null,"setup_future_usage":null,"shipping":null,"source":null,"statement_descriptor":null,"status":"succeeded","transfer_data":null,"description":""#
    );
    let tail = r#""}},"livemode":false,"pending_webhooks":1,"request":{"id":"req_bench","idempotency_key":null},"type":"payment_intent.succeeded"}"#;
    // As many different characters as ids have: a run of one would be no room once it is compressed.
    let mut random = fastrand::Rng::with_seed(u64::try_from(number).unwrap_or_default());
    let padding = BODY.saturating_sub(head.len() + tail.len());
    let padding: String = std::iter::repeat_with(|| random.alphanumeric()).take(padding).collect();
    format!("{head}{padding}{tail}")
}

/// The Transform id of a record.
pub(super) fn record_id(record: usize) -> String {
    format!("tx-{record}")
}

/// Registrations of these payments.
pub(super) fn registrations(records: impl Iterator<Item = usize>) -> Requests {
    let one = |record| {
        let body = format!(r#"{{"pspTransactionId":"pi_{record}","requestedAmount":1000000,"currency":"EUR"}}"#);
        let authorization = [("authorization".to_owned(), format!("Bearer {STACK_TOKEN}"))];
        request(&format!("PUT /records/payment/{}", record_id(record)), &authorization, body.as_bytes())
    };
    Arc::new(records.map(one).collect())
}

/// Reads of these payments, as Transform reads.
pub(super) fn reads(records: impl Iterator<Item = usize>) -> Requests {
    let one = |record| {
        let authorization = [("authorization".to_owned(), format!("Bearer {TRANSFORM_TOKEN}"))];
        request(&format!("GET /api/Payment/{}", record_id(record)), &authorization, b"")
    };
    Arc::new(records.map(one).collect())
}

/// A request without a body has no length.
fn request(line: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nhost: relay\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_of_a_usual_size() {
        for number in [0, 123_456] {
            let event = event(number, number % 2_000, number + 1);
            let read: serde_json::Value = serde_json::from_str(&event).unwrap();
            assert_eq!(
                (event.len(), read["data"]["object"]["amount_received"].as_u64()),
                (BODY, Some(number as u64 + 1))
            );
        }
    }

    #[test]
    fn each_notification_is_another_event() {
        let mut notifications = Notifications::of(2).unwrap();
        let [first, second] = [notifications.next(3).unwrap(), notifications.next(3).unwrap()];
        let all: std::collections::BTreeSet<_> = first.iter().chain(second.iter()).collect();
        assert_eq!(all.len(), 6);
    }
}
