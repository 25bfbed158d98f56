//! Money in odd orders: impossible amounts, money that comes back, and facts in any order.

use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::{Answer, Relay, Setup, Transform, adyen, payment, refund, start, stripe, webhook};

const AT: i64 = 1_700_000_000;

/// A payment of 100 that is paid and told, and its registered refunds: tx-r1 of re_1, and so on.
async fn paid(refunds: &[&str]) -> (Transform, Relay) {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    for (amount, n) in refunds.iter().zip(1..) {
        relay.register("refund", &format!("tx-r{n}"), &refund(&format!("re_{n}"), "tx-1", amount)).await;
    }
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 10_000)).await, "applied");
    transform.told("payment", "tx-1", 1).await;
    (transform, relay)
}

/// The refunded and refundable amounts of the payment.
async fn of_payment(relay: &Relay) -> (String, String) {
    let body = relay.fetched("Payment", "tx-1").await;
    let amount = |name: &str| body.get(name).map_or("0".to_owned(), Value::to_string);
    (amount("refundedAmount"), amount("refundableAmount"))
}

fn amounts(refunded: &str, refundable: &str) -> (String, String) {
    (refunded.to_owned(), refundable.to_owned())
}

#[tokio::test]
async fn another_currency_is_a_dead_letter_and_changes_nothing() {
    let (transform, relay) = paid(&["40"]).await;
    let (payment, refund) = (relay.record("payment", "tx-1").await, relay.record("refund", "tx-r1").await);
    let mut events = [
        stripe::paid("pi_1", AT + 10, 5000),
        stripe::refund("re_1", AT + 10, 4000, "succeeded"),
        stripe::dispute("funds_withdrawn", "du_1", "pi_1", AT + 10, 5000),
    ];
    for event in &mut events {
        event["data"]["object"]["currency"] = "usd".into();
        assert_eq!(relay.stripe(event).await, "dead_letter", "{event}");
    }
    assert_eq!(relay.record("payment", "tx-1").await, payment);
    assert_eq!(relay.record("refund", "tx-r1").await, refund);
    let reasons: Vec<_> = relay.dead_letters().await.into_iter().map(|letter| letter["reason"].to_string()).collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons.iter().all(|reason| reason.contains("USD") && reason.contains("EUR")), "{reasons:?}");
    relay.caught_up(&transform).await;
    assert_eq!((transform.count("payment", "tx-1"), transform.count("refund", "tx-r1")), (1, 0));
}

/// The PSP says what it gave back. The payment shows no more than was paid, and the log tells of it.
#[tokio::test]
async fn more_refunded_than_paid_is_told_and_the_payment_shows_what_was_paid() {
    let (transform, relay) = paid(&["60", "50"]).await;
    assert_eq!(relay.stripe(&stripe::refund("re_1", AT + 10, 6000, "succeeded")).await, "applied");
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(relay.stripe(&stripe::refund("re_2", AT + 20, 5000, "succeeded")).await, "applied");
    transform.told("refund", "tx-r2", 1).await;
    transform.told("payment", "tx-1", 3).await;
    assert_eq!(of_payment(&relay).await, amounts("100", "0"));
    let refund = relay.fetched("Refund", "tx-r2").await;
    assert_eq!((&refund["status"], refund["refundedAmount"].to_string()), (&json!("Succeeded"), "50".to_owned()));
    relay.program.logged(&["WARN", "the refunds of a payment exceed what was paid", "record=payment/tx-1"]).await;
    // One of them fails after all.
    assert_eq!(relay.stripe(&stripe::refund("re_1", AT + 30, 6000, "failed")).await, "applied");
    transform.told("payment", "tx-1", 4).await;
    assert_eq!(of_payment(&relay).await, amounts("50", "50"));
    assert_eq!(relay.dead_letters().await.len(), 0);
}

/// A refund of the PSP's dashboard.
fn unregistered(id: &str, at: i64, amount: i64) -> Value {
    let mut event = stripe::refund(id, at, amount, "succeeded");
    event["data"]["object"]["payment_intent"] = "pi_1".into();
    event
}

#[tokio::test]
async fn a_refund_that_nobody_registered_tells_of_its_payment() {
    let (transform, relay) = paid(&[]).await;
    assert_eq!(relay.stripe(&unregistered("re_9", AT + 10, 3000)).await, "applied");
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(of_payment(&relay).await, amounts("30", "70"));
    assert_eq!(relay.rows().parked, 0);
}

#[tokio::test]
async fn a_refund_that_is_registered_later_is_told_of() {
    let (transform, relay) = paid(&[]).await;
    relay.stripe(&unregistered("re_9", AT + 10, 3000)).await;
    transform.told("payment", "tx-1", 2).await;
    relay.register("refund", "tx-r9", &refund("re_9", "tx-1", "30")).await;
    transform.told("refund", "tx-r9", 1).await;
    let state = relay.fetched("Refund", "tx-r9").await;
    assert_eq!((&state["status"], state["refundedAmount"].to_string()), (&json!("Succeeded"), "30".to_owned()));
    assert_eq!(of_payment(&relay).await, amounts("30", "70"));
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2, "the payment shows the same");
}

#[tokio::test]
async fn a_refund_and_its_payment_are_told_the_refund_first() {
    let (transform, relay) = paid(&["30", "20"]).await;
    transform.fetch_from(&relay.url);
    for (n, cents) in [(1, 3000), (2, 2000)] {
        assert_eq!(relay.stripe(&stripe::refund(&format!("re_{n}"), AT + n, cents, "succeeded")).await, "applied");
        let told = transform.nth(1 + 2 * usize::try_from(n).unwrap()).await;
        let pair = &told[told.len() - 2..];
        assert_eq!(pair[0].json(), json!({"TransactionId": format!("tx-r{n}"), "Type": 3}));
        assert_eq!(pair[1].json(), json!({"TransactionId": "tx-1", "Type": 2}));
        // The refund and its effect on the payment are one commit: both are stored when the refund's webhook comes.
        assert_eq!(pair[0].read.clone().unwrap().unwrap()["status"], "Succeeded");
    }
    assert_eq!(of_payment(&relay).await, amounts("50", "50"));
}

/// There is no quiet period, and each refund is committed together with the end of the payment's last attempt. A
/// foreign lock on the store brings the two together: both wait for it, behind a registration.
#[tokio::test]
async fn the_refund_is_told_first_however_close_they_come() {
    let (transform, relay) = start(Setup { quiet: "0ms", ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 10_000)).await;
    transform.nth(1).await;
    for n in 0..25 {
        let (id, psp_id) = (format!("tx-r{n}"), format!("re_{n}"));
        relay.register("refund", &id, &refund(&psp_id, "tx-1", "1")).await;
        let before = transform.hooks().len();
        let (answer, gate) = Answer::held(200);
        transform.script([answer]);
        relay.stripe(&stripe::dispute("funds_withdrawn", &format!("du_{n}"), "pi_1", AT + n, 1)).await;
        transform.nth(before + 1).await;
        let version = format!("version={} ", relay.record("payment", "tx-1").await["version"]);

        let held = relay.hold_store();
        let (first, event) = (payment("pi_other", "1"), stripe::refund(&psp_id, AT + n, 100, "succeeded"));
        let release = async {
            gate.open();
            relay.program.logged(&["Transform has answered", "record=payment/tx-1 ", &version]).await;
            drop(held);
        };
        tokio::join!(relay.put("payment", "tx-other", &first), relay.stripe(&event), release);
        let told = transform.nth(before + 3).await;
        let order = [told[before + 1].json(), told[before + 2].json()];
        assert_eq!(order, [webhook("refund", &id), webhook("payment", "tx-1")], "round {n}");
    }
}

/// The payment changed first and is due first. It waits, and is told once with both of its changes.
#[tokio::test]
async fn a_payment_that_is_due_before_its_refund_waits_for_it() {
    let (transform, relay) = start(Setup { quiet: "1s", max_wait: "1s", ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    relay.register("refund", "tx-r1", &refund("re_1", "tx-1", "30")).await;
    // On a machine that stalls for a second here, the payment is told before the refund is even known.
    let early = stripe::event("payment_intent.processing", AT - 60, stripe::intent("pi_1", 10_000));
    assert_eq!(relay.stripe(&early).await, "applied");
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 10_000)).await, "applied");
    assert_eq!(relay.stripe(&stripe::refund("re_1", AT + 10, 3000, "succeeded")).await, "applied");
    let told = transform.nth(2).await;
    let first = told.iter().position(|hook| hook.json() == webhook("refund", "tx-r1")).unwrap();
    let last = told.iter().rposition(|hook| hook.json() == webhook("payment", "tx-1")).unwrap();
    assert!(first < last, "{told:?}");
}

/// Even if the refund's webhook fails at first, Transform is told of the refund once before it is told of the payment.
#[tokio::test]
async fn the_refund_is_tried_first_even_if_it_hangs() {
    let (transform, relay) = paid(&["30"]).await;
    let (answer, gate) = Answer::held(200);
    transform.script([answer]);
    relay.stripe(&stripe::refund("re_1", AT + 10, 3000, "succeeded")).await;
    transform.told("refund", "tx-r1", 1).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1, "it waits for the refund");
    gate.open();
    transform.told("payment", "tx-1", 2).await;
}

#[tokio::test]
async fn a_refund_that_fails_late_gives_its_amount_back() {
    let (transform, relay) = paid(&["30"]).await;
    assert_eq!(relay.stripe(&stripe::refund("re_1", AT + 10, 3000, "succeeded")).await, "applied");
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(of_payment(&relay).await, amounts("30", "70"));
    assert_eq!(relay.stripe(&stripe::refund("re_1", AT + 86_400, 3000, "failed")).await, "applied");
    transform.told("refund", "tx-r1", 2).await;
    transform.told("payment", "tx-1", 3).await;
    assert_eq!(of_payment(&relay).await, amounts("0", "100"));
    assert_eq!(relay.fetch("Refund", "tx-r1").await.expect(500).json()["status"], "Failed");
}

/// Adyen may give late facts earlier times: a capture that the scheme took back stays taken back.
#[tokio::test]
async fn a_capture_that_fails_late_was_no_money() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("CAPT1", "100")).await;
    relay.notify("adyen-main", &adyen::item("CAPTURE_FAILED", "CAPT1", "AUTH1", 9, 10_000)).await.expect(200);
    relay.notify("adyen-main", &adyen::item("CAPTURE", "CAPT1", "AUTH1", 5, 10_000)).await.expect(200);
    let failed = relay.fetch("Payment", "tx-1").await.expect(500).json();
    assert_eq!(failed["status"], "Failed");
}

#[tokio::test]
async fn a_refund_may_come_before_its_payment_is_known() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "30")).await;
    assert_eq!(relay.stripe(&stripe::refund("re_1", AT + 10, 3000, "succeeded")).await, "applied");
    transform.told("refund", "tx-r", 1).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 10_000)).await, "applied");
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(of_payment(&relay).await, amounts("30", "70"));
}

/// All orders in which a history of `n` events can arrive.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(n - 1);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut longer = order.clone();
        longer.insert(at, n - 1);
        longer
    };
    shorter.iter().flat_map(|order| (0..n).map(move |at| insert(order, at))).collect()
}

/// One history in every order of arrival, each on its own records: the fetched result is always the same.
#[tokio::test]
async fn the_order_of_arrival_leaves_no_trace() {
    let (_transform, relay) = start(Setup { failed_as: "record", ..Setup::silent() }).await;
    let mut bodies: Vec<String> = Vec::new();
    for order in orders(5) {
        // A name that occurs nowhere else in a body, and has the same length in every order.
        let name = format!("name{:04}", bodies.len());
        let (id, refund_id) = (format!("tx-{name}"), format!("tx-r-{name}"));
        let (psp_id, psp_refund, dispute) = (format!("pi_{name}"), format!("re_{name}"), format!("du_{name}"));
        relay.register("payment", &id, &payment(&psp_id, "100")).await;
        relay.register("refund", &refund_id, &with(refund(&psp_refund, &id, "30"), "status", "Initiated")).await;
        let history = [
            stripe::declined(&psp_id, AT, 10_000, "do_not_honor"),
            stripe::paid(&psp_id, AT, 10_000),
            stripe::refund(&psp_refund, AT + 60, 3000, "succeeded"),
            stripe::refund(&psp_refund, AT + 120, 3000, "failed"),
            stripe::dispute("funds_withdrawn", &dispute, &psp_id, AT + 180, 2500),
        ];
        for n in &order {
            assert_ne!(relay.stripe(&history[*n]).await, "dead_letter", "{n} in {order:?}");
        }
        let mut both = [relay.fetched("Payment", &id).await, relay.fetched("Refund", &refund_id).await];
        for body in &mut both {
            body.as_object_mut().unwrap().remove("lastUpdated");
        }
        bodies.push(json!(both).to_string().replace(&name, "name"));
        assert_eq!(bodies.last(), bodies.first(), "{order:?}");
    }
    assert_eq!(bodies.len(), 120);
    assert!(bodies[0].contains(r#""refundableAmount":75"#) && bodies[0].contains("du_name"), "{}", bodies[0]);
}
