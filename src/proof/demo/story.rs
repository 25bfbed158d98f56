//! The demo's story: the happenings at the PSPs, their notifications, and the truth that follows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ledger::Ledger;
use super::print::Narrator;
use super::psp::{adyen, both, stripe};
use super::relay::Relay;
use super::transform::Transform;
use super::words::amount;
use crate::proof::stand_in::Psp;

const PREAUTH: &str = "20261122-6921a0000000000000000001";
const CAPTURE: &str = "20261122-6921a0000000000000000002";
/// The payment of the burst, which is refunded in part.
pub(super) const DIRECT: &str = "20261122-6921a0000000000000000003";
const REFUND: &str = "20261122-6921a0000000000000000004";
const ADYEN: &str = "20261122-6921a0000000000000000005";
const MANDATE: &str = "6921a0000000000000000006";

struct Stage<'a> {
    relay: &'a Relay,
    transform: &'a Transform,
    narrator: &'a Narrator,
    stripe: Psp,
    adyen: Psp,
}

pub(super) async fn tell(
    relay: &Relay,
    transform: &Transform,
    ledger: &mut Ledger,
    narrator: &Narrator,
) -> anyhow::Result<()> {
    let [stripe, adyen] = both()?;
    let stage = Stage { relay, transform, narrator, stripe, adyen };
    stage.preauthorization(ledger).await?;
    stage.burst(ledger).await?;
    stage.partial_refund(ledger).await?;
    stage.early_bird(ledger).await?;
    stage.chargeback(ledger).await?;
    stage.mandate(ledger).await?;
    stage.forgeries().await
}

impl Stage<'_> {
    async fn register(&self, kind: &str, id: &str, body: Value) -> anyhow::Result<()> {
        let terms = body.get("requestedAmount").map(|requested| format!(", {}", amount(requested, &body["currency"])));
        self.narrator.registered(kind, id, &terms.unwrap_or_default());
        self.relay.register(kind, id, &body).await
    }

    async fn stripe(&self, event_type: &str, second: i64, object: Value) -> anyhow::Result<()> {
        let answer = self.relay.notify(&self.stripe, &stripe(event_type, second, object)).await?;
        self.narrator.notification("Stripe", event_type, &answer.summary());
        Ok(())
    }

    async fn adyen(&self, event_code: &str, second: i64, item: Value) -> anyhow::Result<()> {
        let answer = self.relay.notify(&self.adyen, &adyen(event_code, second, item)).await?;
        self.narrator.notification("Adyen", event_code, &answer.summary());
        Ok(())
    }

    async fn preauthorization(&self, ledger: &mut Ledger) -> anyhow::Result<()> {
        self.narrator.chapter("A preauthorization and its capture: one PSP id, two records");
        let terms =
            json!({"source": "stripe-main", "pspTransactionId": "pi_demo1", "requestedAmount": 120, "currency": "EUR"});
        self.register("preauth", PREAUTH, terms.clone()).await?;
        let intent = |status: &str, capturable: u32, received: u32| {
            json!({"object": "payment_intent", "id": "pi_demo1", "capture_method": "manual", "currency": "eur",
                   "amount": 12000, "amount_capturable": capturable, "amount_received": received, "status": status})
        };
        self.stripe("payment_intent.amount_capturable_updated", 2, intent("requires_capture", 12000, 0)).await?;
        ledger.knows(1, PREAUTH, "status", json!("Succeeded"));
        ledger.knows(1, PREAUTH, "authorizedAmount", json!(120));
        self.relay.until_all_told().await?;
        let mut capture = terms;
        capture["preauthTransactionId"] = PREAUTH.into();
        self.register("payment", CAPTURE, capture).await?;
        self.stripe("payment_intent.succeeded", 3, intent("succeeded", 0, 12000)).await?;
        ledger.knows(2, CAPTURE, "status", json!("Succeeded"));
        ledger.knows(2, CAPTURE, "paid", json!("120"));
        self.relay.until_all_told().await
    }

    async fn burst(&self, ledger: &mut Ledger) -> anyhow::Result<()> {
        self.narrator.chapter("A burst of notifications, repeated and out of order: one webhook");
        let terms = json!({"source": "stripe-main", "pspTransactionId": "pi_demo2", "requestedAmount": 89.25, "currency": "EUR"});
        self.register("payment", DIRECT, terms).await?;
        let intent = |status: &str, received: u32| {
            json!({"object": "payment_intent", "id": "pi_demo2", "capture_method": "automatic", "currency": "eur",
                   "amount": 8925, "amount_received": received, "status": status})
        };
        let charge = json!({"object": "charge", "id": "ch_demo2", "payment_intent": "pi_demo2", "currency": "eur",
                            "amount": 8925, "amount_captured": 8925, "captured": true, "status": "succeeded"});
        let events = [
            stripe("payment_intent.created", 10, intent("requires_payment_method", 0)),
            stripe("payment_intent.requires_action", 11, intent("requires_action", 0)),
            stripe("payment_intent.payment_failed", 12, intent("requires_payment_method", 0)),
            stripe("payment_intent.processing", 13, intent("processing", 0)),
            stripe("charge.succeeded", 14, charge),
            stripe("payment_intent.succeeded", 14, intent("succeeded", 8925)),
        ];
        let mut events: Vec<_> = events.iter().cycle().take(events.len() * 4).cloned().collect();
        fastrand::shuffle(&mut events);
        let sent = events.len();
        let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
        for event in events {
            let answer = self.relay.notify(&self.stripe, &event).await?;
            *outcomes.entry(answer.summary().replace("200 ", "")).or_default() += 1;
        }
        self.narrator.burst("Stripe", sent, &outcomes);
        ledger.knows(2, DIRECT, "status", json!("Succeeded"));
        ledger.knows(2, DIRECT, "paid", json!("89.25"));
        self.relay.until_all_told().await
    }

    async fn partial_refund(&self, ledger: &mut Ledger) -> anyhow::Result<()> {
        self.narrator.chapter("A partial refund, its events out of order: its payment changes, too");
        let terms = json!({"source": "stripe-main", "pspTransactionId": "re_demo2", "requestedAmount": 19.25,
                           "currency": "EUR", "paymentTransactionId": DIRECT});
        self.register("refund", REFUND, terms).await?;
        let refund = |status: &str| {
            json!({"object": "refund", "id": "re_demo2", "payment_intent": "pi_demo2", "charge": "ch_demo2",
                   "amount": 1925, "currency": "eur", "status": status})
        };
        self.stripe("refund.updated", 22, refund("succeeded")).await?;
        self.stripe("refund.created", 21, refund("pending")).await?;
        ledger.knows(3, REFUND, "status", json!("Succeeded"));
        ledger.knows(3, REFUND, "refundedAmount", json!(19.25));
        ledger.knows(2, DIRECT, "refundedAmount", json!(19.25));
        ledger.knows(2, DIRECT, "refundableAmount", json!(70));
        self.relay.until_all_told().await
    }

    async fn early_bird(&self, ledger: &mut Ledger) -> anyhow::Result<()> {
        self.narrator.chapter("Adyen is faster than the payment stack: its event is parked, then applied");
        let authorisation = json!({"pspReference": "DEMO8816178952380553", "merchantReference": ADYEN, "success": "true",
                                   "amount": {"currency": "JPY", "value": 5990}, "paymentMethod": "visa"});
        self.adyen("AUTHORISATION", 31, authorisation).await?;
        self.register("payment", ADYEN, json!({"source": "adyen-eu", "requestedAmount": 5990, "currency": "JPY"}))
            .await?;
        ledger.knows(2, ADYEN, "status", json!("Succeeded"));
        ledger.knows(2, ADYEN, "paid", json!("5990"));
        ledger.knows(2, ADYEN, "pspTransactionId", json!("DEMO8816178952380553"));
        self.relay.until_all_told().await
    }

    async fn chargeback(&self, ledger: &mut Ledger) -> anyhow::Result<()> {
        self.narrator.chapter("A chargeback, while Transform is down for a moment");
        self.transform.fail_next(1);
        let dispute = json!({"pspReference": "DEMO9915555555555555", "originalReference": "DEMO8816178952380553",
                             "merchantReference": ADYEN, "success": "true", "paymentMethod": "visa",
                             "amount": {"currency": "JPY", "value": 5990}, "reason": "Other Fraud-Card Absent Environment",
                             "additionalData": {"chargebackReasonCode": "10.4", "chargebackSchemeCode": "visa"}});
        self.adyen("NOTIFICATION_OF_CHARGEBACK", 40, dispute.clone()).await?;
        self.adyen("CHARGEBACK", 41, dispute).await?;
        ledger.knows(2, ADYEN, "chargedBack", json!("5990"));
        ledger.knows(2, ADYEN, "refundableAmount", Value::Null);
        self.relay.until_all_told().await
    }

    async fn mandate(&self, ledger: &mut Ledger) -> anyhow::Result<()> {
        self.narrator.chapter("A mandate");
        self.register("agreement", MANDATE, json!({"source": "stripe-main", "pspAgreementId": "pm_demo"})).await?;
        let setup = json!({"object": "setup_intent", "id": "seti_demo", "payment_method": "pm_demo",
                           "mandate": "mandate_demo", "status": "succeeded"});
        self.stripe("setup_intent.succeeded", 51, setup).await?;
        let mandate =
            json!({"object": "mandate", "id": "mandate_demo", "payment_method": "pm_demo", "status": "active"});
        self.stripe("mandate.updated", 52, mandate).await?;
        ledger.knows(4, MANDATE, "status", json!("Active"));
        self.relay.until_all_told().await
    }

    /// A stranger signs without the secret, and then puts another amount into a notification that was signed with it.
    async fn forgeries(&self) -> anyhow::Result<()> {
        self.narrator.chapter("Two forgeries: a cancellation by a stranger, and a refund with more money in it");
        let intent = json!({"object": "payment_intent", "id": "pi_demo1", "capture_method": "manual",
                            "cancellation_reason": "requested_by_customer", "currency": "eur", "status": "canceled"});
        let event = stripe("payment_intent.canceled", 98, intent).to_string();
        let signed = self.stripe.stranger().sign(None, event.as_bytes(), Timestamp::now())?;
        let answer = self.relay.forge(&self.stripe, signed).await?;
        self.narrator.notification("stranger", "payment_intent.canceled", &answer.summary());
        let refund = json!({"object": "refund", "id": "re_demo2", "payment_intent": "pi_demo2", "charge": "ch_demo2",
                            "amount": 1925, "currency": "eur", "status": "succeeded"});
        let event = stripe("refund.updated", 99, refund).to_string();
        let mut signed = self.stripe.sign(None, event.as_bytes(), Timestamp::now())?;
        signed.body = event.replace("1925", "8925").into_bytes();
        let answer = self.relay.forge(&self.stripe, signed).await?;
        self.narrator.notification("stranger", "refund.updated", &answer.summary());
        Ok(())
    }
}
