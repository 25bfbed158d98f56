//! Findings: types without a rule, parked events and refunds that contradict what is registered.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::program::run;
use crate::support::psp::seal_with;
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Setup, agreement, payment, refund, start, stripe};

const AT: i64 = 1_700_000_000;

/// An event of a type that no profile has a rule for.
fn strange(n: i64, id: &str) -> Value {
    stripe::event("payment_intent.levitated", AT + n, stripe::intent(id, 1000))
}

/// The findings, without their times.
async fn findings(relay: &Relay) -> Vec<Value> {
    let mut all = relay.findings().await;
    for finding in &mut all {
        let times = finding.as_object_mut().unwrap();
        assert!(times.shift_remove("firstAt").is_some() && times.shift_remove("lastAt").is_some());
    }
    all
}

async fn notified(relay: &Relay, event: &Value, outcome: &str) -> String {
    let taken = relay.notify("stripe-main", event).await.expect(200).json();
    assert_eq!(taken["outcome"], outcome, "{event}");
    taken["notification"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_type_without_a_rule_is_found_if_it_names_a_registered_record() {
    let (_transform, relay) = start(Setup::silent()).await;
    notified(&relay, &strange(0, "pi_1"), "ignored").await;
    assert_eq!(findings(&relay).await, Vec::<Value>::new(), "it names no registered record");
    relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "source", "stripe-main")).await;
    notified(&relay, &strange(1, "pi_1"), "ignored").await;
    let again = strange(2, "pi_other");
    let latest = notified(&relay, &stripe::referring(again.clone(), "transactionId", "tx-1"), "ignored").await;
    notified(&relay, &strange(3, "pi_nobody"), "ignored").await;
    let expected = json!([{
        "finding": "no_rule", "source": "stripe-main", "type": "payment_intent.levitated", "count": 2,
        "notification": latest, "record": {"kind": "payment", "id": "tx-1"},
        "missing": "a rule of form event for the type payment_intent.levitated",
    }]);
    assert_eq!(json!(findings(&relay).await), expected);
    relay.stripe(&stripe::referring(again, "transactionId", "tx-1")).await;
    assert_eq!(json!(findings(&relay).await), expected, "a repetition does not count");
    let line =
        ["WARN", "no rule reads a type of event", "event_type=\"payment_intent.levitated\"", "record=payment/tx-1"];
    relay.program.logged_times(&line, 1).await;
    let metrics =
        relay.send(relay.request(Method::GET, "/metrics").bearer_auth(INTEGRATOR_TOKEN)).await.expect(200).text;
    assert!(metrics.contains("\ntransform_relay_findings 1\n"), "{metrics}");

    // A source sees the records of another one as little as its notifications do.
    relay.notify("stripe-two", &strange(4, "pi_1")).await.expect(200);
    assert_eq!(json!(findings(&relay).await), expected);
}

/// Types that the profile ignores, or the source does not take, are ignored on purpose.
#[tokio::test]
async fn what_is_ignored_on_purpose_is_not_found() {
    let more = "[sources.picky]\nprofile = \"stripe\"\nsecrets = [\"whsec_picky_source_1\"]\nevents = [\"payment_intent.succeeded\"]";
    let (_transform, relay) = start(Setup { more: more.to_owned(), ..Setup::silent() }).await;
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    let mandate = json!({"id": "mandate_1", "type": "single_use", "payment_method": "pm_1", "status": "inactive"});
    notified(&relay, &stripe::event("mandate.updated", AT, mandate), "ignored").await;
    let now = jiff::Timestamp::now().as_second();
    let sealed = seal_with("stripe", "whsec_picky_source_1", now, strange(1, "pm_1").to_string().as_bytes());
    assert_eq!(relay.post("picky", &sealed.headers, sealed.body).await.expect(200).json()["outcome"], "ignored");
    assert_eq!(findings(&relay).await, Vec::<Value>::new());
}

#[tokio::test]
async fn findings_are_listed_page_by_page_for_the_operator() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    for n in 0..5 {
        let mut event = strange(n, "pi_1");
        event["type"] = format!("strange.{n}").into();
        notified(&relay, &event, "ignored").await;
    }
    let (mut seen, mut path) = (Vec::new(), "/findings?limit=2&source=stripe-main".to_owned());
    loop {
        let request = relay.request(Method::GET, &path).bearer_auth(INTEGRATOR_TOKEN);
        let page = relay.send(request).await.expect(200).json();
        seen.extend(page["findings"].as_array().unwrap().iter().map(|one| one["type"].clone()));
        match page["next"].as_i64() {
            Some(next) => path = format!("/findings?limit=2&source=stripe-main&after={next}"),
            None => break,
        }
    }
    assert_eq!(json!(seen), json!(["strange.0", "strange.1", "strange.2", "strange.3", "strange.4"]));
    for (path, status) in [("/findings?limit=0", 400), ("/findings?page=2", 400)] {
        relay.send(relay.request(Method::GET, path).bearer_auth(INTEGRATOR_TOKEN)).await.problem(status);
    }
    relay.send(relay.request(Method::GET, "/findings")).await.problem(401);
    relay.get("/findings").await.problem(401);
    let request = relay.request(Method::GET, "/findings?source=stripe-two").bearer_auth(INTEGRATOR_TOKEN);
    assert_eq!(relay.send(request).await.expect(200).json(), json!({"findings": [], "next": null}));
}

/// The payment was registered as an agreement by mistake: the reference leads to a record of another kind.
#[tokio::test]
async fn an_event_that_waits_for_an_hour_and_names_a_record_is_found() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    let paid = stripe::referring(stripe::paid("pi_1", AT, 1000), "transactionId", "ag-1");
    let waiting = notified(&relay, &paid, "parked").await;
    notified(&relay, &stripe::paid("pi_nobody", AT, 1000), "parked").await;
    relay.terminate().await;
    relay.parked_since_minutes(59);
    relay.restart().await;
    relay.terminate().await;
    assert_eq!(relay.stored_findings(), 0, "it may still come");
    relay.parked_since_minutes(2);
    relay.restart().await;
    relay.program.logged(&["WARN", "a parked event names a registered record", "record=agreement/ag-1"]).await;
    let [found] = &findings(&relay).await[..] else { panic!("one finding") };
    let missing = found["missing"].as_str().unwrap();
    assert!(missing.starts_with("a record to register: ") && missing.contains("psp:payment:pi_1"), "{missing}");
    let expected = json!({
        "finding": "no_record", "source": "stripe-main", "type": "payment_intent.succeeded", "count": 1,
        "notification": waiting, "record": {"kind": "agreement", "id": "ag-1"}, "missing": missing,
    });
    assert_eq!(*found, expected);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(findings(&relay).await, Vec::<Value>::new(), "it does not wait any more");
}

/// A payment stores its card. Nobody registers an agreement of that card, so that its end would be lost.
#[tokio::test]
async fn an_event_of_an_agreement_whose_id_a_payment_has_named_is_found_at_once() {
    let (_transform, relay) = start(Setup::silent()).await;
    let detached =
        |id: &str| stripe::event("payment_method.detached", AT + 9, json!({"id": id, "object": "payment_method"}));
    let storing = |id: &str, card: &str| {
        let mut object = stripe::intent(id, 1000);
        (object["setup_future_usage"], object["payment_method"]) = ("off_session".into(), card.into());
        stripe::event("payment_intent.succeeded", AT, object)
    };
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    notified(&relay, &storing("pi_1", "pm_1"), "applied").await;
    notified(&relay, &detached("pm_nobody"), "parked").await;
    assert_eq!(findings(&relay).await, Vec::<Value>::new());
    let first = notified(&relay, &detached("pm_1"), "parked").await;
    let [found] = &findings(&relay).await[..] else { panic!("one finding") };
    assert_eq!((&found["finding"], &found["type"]), (&json!("no_record"), &json!("payment_method.detached")));
    assert_eq!(found["record"], json!({"kind": "payment", "id": "tx-1"}));
    assert!(found["missing"].as_str().unwrap().contains("psp:agreement:pm_1"), "{found}");

    // The other way round: the payment's event comes last.
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    let second = notified(&relay, &detached("pm_2"), "parked").await;
    notified(&relay, &storing("pi_2", "pm_2"), "applied").await;
    let [found] = &findings(&relay).await[..] else { panic!("one finding") };
    assert_eq!((&found["count"], &found["notification"]), (&json!(2), &json!(second)));
    relay.program.logged_times(&["a parked event names a registered record"], 1).await;

    relay.register("agreement", "ag-2", &agreement("pm_2")).await;
    let [found] = &findings(&relay).await[..] else { panic!("one finding") };
    assert_eq!((&found["count"], &found["notification"]), (&json!(1), &json!(first)));
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    assert_eq!(findings(&relay).await, Vec::<Value>::new());
}

#[tokio::test]
async fn refunds_above_what_was_paid_are_found_while_they_are() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    notified(&relay, &stripe::paid("pi_1", AT, 1000), "applied").await;
    let refund = |id: &str, at: i64, status: &str| {
        let mut event = stripe::refund(id, at, 700, status);
        event["data"]["object"]["payment_intent"] = "pi_1".into();
        event
    };
    notified(&relay, &refund("re_1", AT + 1, "succeeded"), "applied").await;
    assert_eq!(findings(&relay).await, Vec::<Value>::new());
    let second = notified(&relay, &refund("re_2", AT + 2, "succeeded"), "applied").await;
    let expected = json!([{
        "finding": "over_refunded", "source": "stripe-main", "type": "refund.updated", "count": 1, "notification": second,
        "record": {"kind": "payment", "id": "tx-1"}, "missing": null,
    }]);
    assert_eq!(json!(findings(&relay).await), expected);
    notified(&relay, &refund("re_2", AT + 3, "failed"), "applied").await;
    assert_eq!(findings(&relay).await, Vec::<Value>::new());
}

/// No event makes the refunds too large here: the payment stack registers them as Succeeded.
#[tokio::test]
async fn registered_refunds_above_what_was_paid_are_found_too() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    notified(&relay, &stripe::paid("pi_1", AT, 1000), "applied").await;
    for n in [1, 2] {
        assert_eq!(findings(&relay).await, Vec::<Value>::new());
        let done = with(refund(&format!("re_{n}"), "tx-1", "7"), "status", "Succeeded");
        relay.register("refund", &format!("tx-r{n}"), &done).await;
    }
    let expected = json!([{
        "finding": "over_refunded", "source": "stripe-main", "type": "refund", "count": 1, "notification": null,
        "record": {"kind": "payment", "id": "tx-1"}, "missing": null,
    }]);
    assert_eq!(json!(findings(&relay).await), expected);
    let failed = json!({"status": "Failed", "statusAt": jiff::Timestamp::now().to_string()});
    relay.put("refund", "tx-r2", &failed).await.expect(200);
    assert_eq!(findings(&relay).await, Vec::<Value>::new());
}

/// A store of an earlier version has no findings of its own: its notifications have.
#[tokio::test]
async fn the_command_finds_what_an_earlier_version_has_ignored() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    let ignored = notified(&relay, &strange(1, "pm_1"), "ignored").await;
    let paid = stripe::referring(stripe::paid("pi_1", AT, 1000), "transactionId", "ag-1");
    let waiting = notified(&relay, &paid, "parked").await;
    let asked = async |relay: &Relay| {
        let config = relay.file("relay.toml");
        let ended = run(&["findings", "--config", config.to_str().unwrap()], &relay.setup.environment()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    let [own, count] = &asked(&relay).await.lines().map(str::to_owned).collect::<Vec<_>>()[..] else { panic!() };
    for part in [
        "no_rule stripe-main: payment_intent.levitated, once",
        "names agreement/ag-1",
        &ignored,
        "missing is a rule of form event for the type",
    ] {
        assert!(own.contains(part), "{part} in {own}");
    }
    assert_eq!(count, "1 finding");
    relay.terminate().await;
    relay.forget_findings();
    relay.parked_since_minutes(61);
    let before = relay.all_stored();
    let told = asked(&relay).await;
    assert!(told.contains("payment_intent.levitated") && told.contains(&ignored), "{told}");
    assert!(told.contains("no_record stripe-main: payment_intent.succeeded") && told.contains(&waiting), "{told}");
    assert!(told.ends_with("2 findings\n"), "{told}");
    assert_eq!(relay.all_stored(), before, "the store is only read");
}

/// A finding goes with the notifications of its type.
#[tokio::test]
async fn a_finding_goes_once_nothing_like_it_has_come_for_long() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    notified(&relay, &strange(1, "pi_1"), "ignored").await;
    assert_eq!(findings(&relay).await.len(), 1);
    relay.terminate().await;
    relay.setup.more = "[store.keep]\nnotifications = \"1ms\"".to_owned();
    relay.restart().await;
    relay.program.logged(&["housekeeping: expired rows are deleted"]).await;
    assert_eq!(findings(&relay).await, Vec::<Value>::new());
}
