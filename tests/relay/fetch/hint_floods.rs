//! Floods of made-up hints: their own senders lose their slots, and others lose little.

use serde_json::{Value, json};

use crate::support::api::{Api, Told};
use crate::support::pointing::{SOURCE, has_paid, object, path, setup};
use crate::support::{Relay, Reply, Setup, Transform, payment, start};

/// A relay behind a proxy that names the client of each request. `more` is added to [sources.pointing.fetch].
async fn behind_a_proxy(api: &Api, more: &str) -> (Transform, Relay) {
    let environment = vec![("RELAY_SERVER__TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned())];
    start(Setup { environment, ..setup(api, more) }).await
}

impl Relay {
    /// A client at this address says that there is news of a payment.
    async fn hint_from(&self, address: &str, id: &str) -> Reply {
        let from = [("x-forwarded-for".to_owned(), address.to_owned())];
        self.post(SOURCE, &from, json!({"id": id, "hint": true}).to_string()).await
    }

    /// Sends this many made-up hints from this address; returns how many were refused.
    async fn flood(&self, address: &str, count: usize) -> usize {
        let mut refused = 0;
        for n in 0..count {
            let answered =
                self.hint_from(address, &format!("tr_made_up_{}_{n}", address.replace([':', '.'], "_"))).await;
            if answered.status == 503 {
                assert!(!answered.header("retry-after").is_empty(), "{answered:?}");
                refused += 1;
            } else {
                answered.expect(200);
            }
        }
        refused
    }

    /// How many made-up objects wait.
    fn made_up(&self) -> usize {
        self.fetches().iter().filter(|fetch| fetch.waits && fetch.path.contains("made_up")).count()
    }
}

/// Payment tx-1 is registered by its reference alone: the PSP's id of it is unknown until its first hint is fetched.
async fn by_reference(relay: &Relay, api: &Api) {
    let mut body = payment("unused", "10");
    body.as_object_mut().unwrap().remove("pspTransactionId");
    relay.register("payment", "tx-1", &body).await;
    let mut paid = object("tr_1", "paid", "10.00");
    paid["metadata"] = json!({"transactionId": "tx-1"});
    api.put(&path("tr_1"), &paid);
}

async fn has_succeeded(transform: &Transform, relay: &Relay) {
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Succeeded");
}

#[tokio::test]
async fn a_flood_from_one_address_keeps_no_record_out_that_is_registered_by_reference() {
    let api = Api::start();
    let (transform, relay) = behind_a_proxy(&api, "max_hints = 80\nconcurrency = 2").await;
    by_reference(&relay, &api).await;
    // The one call for strangers that may be under way gets no response before the flood is over.
    let (held, gate) = Told::held_back();
    api.script([held]);
    relay.flood("203.0.113.66", 1).await;
    api.nth(1).await;
    assert_eq!(relay.flood("203.0.113.66", 120).await, 100, "a quarter of the slots is all that an address gets");
    relay.program.logged(&["notification refused", "from this address"]).await;
    assert_eq!(relay.made_up(), 20);
    relay.hint_from("192.0.2.10", "tr_1").await.expect(200);
    gate.open();
    has_succeeded(&transform, &relay).await;
}

/// A refused hint does not reach the writer.
#[tokio::test]
async fn hints_are_refused_while_the_store_is_written() {
    let api = Api::start();
    let few = "max_hints = 2\nmax_hints_per_address = 1\ntimeout = \"1h\"";
    let (_transform, relay) = behind_a_proxy(&api, few).await;
    api.hangs_at("made_up");
    assert_eq!(relay.flood("203.0.113.66", 1).await + relay.flood("203.0.113.67", 1).await, 0);
    let _held = relay.hold_store();
    relay.hint_from("203.0.113.66", "tr_made_up").await.expect(503);
    relay.program.logged(&["notification refused", "too many hints", "from this address"]).await;
    relay.hint_from("203.0.113.68", "tr_made_up").await.expect(503);
    relay.program.logged_times(&["notification refused", "too many hints"], 2).await;
}

/// Anybody can have any number of IPv6 addresses.
#[tokio::test]
async fn a_network_of_ipv6_is_one_address_for_hints() {
    let api = Api::start();
    let (_transform, relay) = behind_a_proxy(&api, "max_hints = 40\ntimeout = \"1h\"").await;
    api.hangs_at("made_up");
    let mut refused = 0;
    for n in 0..12 {
        refused += relay.flood(&format!("2001:db8::{n}"), 1).await;
    }
    assert_eq!((refused, relay.made_up()), (2, 10));
}

#[tokio::test]
async fn a_flood_from_many_addresses_makes_room_for_a_new_one() {
    let api = Api::start();
    let (transform, relay) = behind_a_proxy(&api, "max_hints = 40\nconcurrency = 2").await;
    by_reference(&relay, &api).await;
    let (held, gate) = Told::held_back();
    api.script([held]);
    relay.flood("203.0.113.1", 1).await;
    api.nth(1).await;
    for address in ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"] {
        assert_eq!(relay.flood(address, 10).await, 0, "{address}");
    }
    assert_eq!(relay.made_up(), 40, "every place is taken");
    relay.hint_from("192.0.2.10", "tr_1").await.expect(200);
    relay.program.logged(&["displaced", "pointing"]).await;
    assert_eq!(relay.made_up(), 39, "it took the place of one of them");
    for n in 0..5 {
        relay.hint_from(&format!("198.51.100.{n}"), &format!("tr_made_up_{n}")).await.expect(200);
    }
    assert_eq!(relay.program.log().matches("displaced").count(), 1, "a flood gets a line a minute");
    let left = relay.notifications().iter().filter(|kept| kept.hint && kept.outcome == "fetching").count();
    assert_eq!(left, 40, "nothing is left of a hint that was displaced");
    assert_eq!(relay.rows().waiting_for_fetches, 40);
    gate.open();
    has_succeeded(&transform, &relay).await;
}

#[tokio::test]
async fn calls_for_strangers_leave_room_for_what_can_be_trusted() {
    let api = Api::start();
    let (transform, relay) = behind_a_proxy(&api, "concurrency = 4\nrate = 1000\ntimeout = \"1h\"").await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    has_paid(&api, "tr_1", "10.00");
    api.hangs_at("made_up");
    for n in 1..=10 {
        relay.flood(&format!("203.0.113.{n}"), 1).await;
    }
    api.nth(2).await;
    relay.point(SOURCE, "tr_1", 1).await.expect(200);
    has_succeeded(&transform, &relay).await;
    relay.caught_up(&transform).await;
    let made_up = api.calls().iter().filter(|call| call.path.contains("made_up")).count();
    assert_eq!(made_up, 2, "half of what may be under way at once");
}

/// Waiting for an object costs a slot. If an address holds many slots, an object that the API does not know counts as
/// made up, and is dropped at once.
#[tokio::test]
async fn where_slots_are_scarce_what_the_api_does_not_know_is_dropped_at_once() {
    let api = Api::start();
    let (_transform, relay) = behind_a_proxy(&api, "max_hints = 16\nrate = 1000\nconcurrency = 1").await;
    let (held, gate) = Told::held_back();
    api.script([held]);
    relay.flood("203.0.113.66", 1).await;
    api.nth(1).await;
    relay.flood("203.0.113.66", 4).await;
    assert_eq!(relay.made_up(), 4);
    gate.open();
    relay.program.logged(&["hints came to nothing", "dropped=2"]).await;
    relay.program.logged(&["INFO", "slots for hints are scarce", "hints=1"]).await;
    // With the remaining two, more than half of its slots are free.
    assert_eq!(relay.made_up(), 2);
}

/// An address with few waiting objects does not wait behind an address with many.
#[tokio::test]
async fn addresses_take_turns() {
    let api = Api::start();
    let (transform, relay) = behind_a_proxy(&api, "rate = 1000\nconcurrency = 1").await;
    by_reference(&relay, &api).await;
    let (held, gate) = Told::held_back();
    api.script([held]);
    relay.flood("203.0.113.66", 1).await;
    api.nth(1).await;
    let rest: Vec<Value> = (0..20).map(|n| object(&format!("tr_other_{n}"), "open", "1.00")).collect();
    for (n, other) in rest.iter().enumerate() {
        let id = format!("tr_other_{n}");
        api.put(&path(&id), other);
        relay.hint_from("203.0.113.66", &id).await.expect(200);
    }
    relay.hint_from("192.0.2.10", "tr_1").await.expect(200);
    gate.open();
    has_succeeded(&transform, &relay).await;
    let before = api.calls().iter().position(|call| call.path == path("tr_1")).unwrap();
    assert!(before < 15, "{before} calls for another address came first");
}

/// Any shopper knows the id of a registered object, from a checkout. A hint at one takes no slot, but it must leave
/// calls to others.
#[tokio::test]
async fn hints_at_known_objects_leave_calls_to_others() {
    let api = Api::start();
    let (transform, relay) = behind_a_proxy(&api, "rate = 1000\nconcurrency = 1").await;
    by_reference(&relay, &api).await;
    let known: Vec<_> = (0..20).map(|n| format!("tr_known_{n}")).collect();
    for (n, id) in known.iter().enumerate() {
        relay.register("payment", &format!("tx-known-{n}"), &payment(id, "10")).await;
        api.put(&path(id), &object(id, "open", "10.00"));
    }
    has_paid(&api, "tr_signed", "10.00");
    let (held, gate) = Told::held_back();
    api.script([held]);
    relay.hint_from("203.0.113.66", "tr_other").await.expect(200);
    api.nth(1).await;
    for id in &known {
        relay.hint_from("203.0.113.66", id).await.expect(200);
    }
    relay.hint_from("192.0.2.10", "tr_1").await.expect(200);
    relay.point(SOURCE, "tr_signed", 1).await.expect(200);
    gate.open();
    has_succeeded(&transform, &relay).await;
    let order: Vec<_> = api.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(order[1], path("tr_signed"), "what is signed goes first: {order:?}");
    let before = order.iter().position(|call| *call == path("tr_1")).unwrap();
    assert!(before < 6, "{before} calls came first: {order:?}");
}
