//! Sources that are not enabled, and sources that take only some types of event.

use serde_json::json;

use crate::support::psp::seal_with;
use crate::support::{Relay, Reply, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;
const SECRET: &str = "whsec_choosy_source";

fn choosy(settings: &str) -> Setup {
    let source = format!("[sources.choosy]\nprofile = \"stripe\"\nsecrets = [\"{SECRET}\"]\n{settings}");
    Setup { more: source, ..Setup::silent() }
}

async fn notify(relay: &Relay, event: &serde_json::Value) -> Reply {
    let now = jiff::Timestamp::now().as_second();
    let sealed = seal_with("stripe", SECRET, now, event.to_string().as_bytes());
    relay.post("choosy", &sealed.headers, sealed.body).await
}

#[tokio::test]
async fn a_source_that_is_not_enabled_takes_nothing_and_says_so_in_the_log() {
    for (settings, status) in [("enabled = false", 404), ("enabled = false\ndisabled_answer = 503", 503)] {
        let (_transform, mut relay) = start(choosy(settings)).await;
        let event = stripe::paid("pi_1", AT, 1000);
        let reply = notify(&relay, &event).await;
        reply.problem(status);
        if status == 404 {
            let nowhere = relay.post("nowhere", &[], "{}").await;
            assert_eq!(reply.text, nowhere.text, "not to be told from one that is not there");
        }
        relay.program.logged(&["the source is not enabled", "choosy", &format!("status={status}")]).await;
        assert_eq!(relay.rows().notifications, 0);
        relay.terminate().await;
        relay.setup.more = relay.setup.more.replace("enabled = false", "enabled = true");
        relay.restart().await;
        assert_eq!(notify(&relay, &event).await.expect(200).json()["outcome"], "parked");
    }
}

/// Events that were taken before are still applied.
#[tokio::test]
async fn what_is_parked_waits_on_while_its_source_is_not_enabled() {
    let (_transform, mut relay) = start(choosy("")).await;
    notify(&relay, &stripe::paid("pi_1", AT, 1000)).await.expect(200);
    relay.terminate().await;
    relay.setup.more.push_str("enabled = false");
    relay.restart().await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
}

#[tokio::test]
async fn a_source_takes_the_types_that_it_names_only() {
    let (_transform, relay) = start(choosy("events = [\"payment_intent.succeeded\"]")).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let declined = stripe::declined("pi_1", AT, 1000, "do_not_honor");
    assert_eq!(notify(&relay, &declined).await.expect(200).json()["outcome"], "ignored");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Initiated");
    assert_eq!(notify(&relay, &stripe::paid("pi_1", AT, 1000)).await.expect(200).json()["outcome"], "applied");
    // A notification without a type cannot be of one of the other types.
    let nameless = json!({"id": "evt_nameless", "created": AT, "data": {"object": {"id": "pi_1"}}});
    assert_eq!(notify(&relay, &nameless).await.expect(200).json()["outcome"], "dead_letter");
}
