//! Pointers: the objects that notifications only point to are fetched from the PSP's API.

use crate::support::api::{Api, Told};
use crate::support::pointing::{SOURCE, has_paid, object, path, setup, source};
use crate::support::setup::API_TOKEN;
use crate::support::{Setup, payment, start, stripe};

#[tokio::test]
async fn a_pointer_is_answered_first_and_then_fetched() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    let (held, gate) = Told::held_back();
    api.script([held]);
    has_paid(&api, "tr_1", "10.00");
    let answered = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    assert_eq!(answered.json()["outcome"], "fetching");
    let call = api.nth(1).await.remove(0);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", path("tr_1").as_str()));
    assert_eq!(call.header("authorization"), format!("Bearer {API_TOKEN}"));
    assert_eq!((call.header("api-version"), call.header("accept")), ("2015-07-06", "application/json"));
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Initiated");
    gate.open();
    relay.came_to(&answered, "applied").await;
    transform.told("payment", "tx-1", 1).await;
    let record = relay.fetched("payment", "tx-1").await;
    assert_eq!(
        (record["status"].as_str(), record["payments"][0]["amount"].to_string()),
        (Some("Succeeded"), "10".into())
    );
    assert_eq!(relay.outcomes(), ["applied"]);
    assert_eq!(relay.responses(), [object("tr_1", "paid", "10.00").to_string().into_bytes()]);
    // The same pointer again may be other news: it gets the first answer again, and its object is fetched again.
    let again = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (answered.text.as_str(), "true"));
    api.nth(2).await;
    let id = answered.json()["notification"].as_str().unwrap().to_owned();
    relay.program.logged_times(&["the object of a notification was fetched", &id], 2).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
}

#[tokio::test]
async fn a_burst_costs_two_fetches_and_the_last_news_counts() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    let (held, gate) = Told::held_back();
    api.script([held, Told::body(object("tr_1", "paid", "10.00").to_string())]);
    api.put(&path("tr_1"), &object("tr_1", "open", "10.00"));
    relay.point(SOURCE, "tr_1", 0).await.expect(200);
    api.nth(1).await;
    let mut last = None;
    for n in 1..=20 {
        last = Some(relay.point(SOURCE, "tr_1", n).await.expect(200));
    }
    gate.open();
    relay.came_to(&last.unwrap(), "repeated").await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Succeeded");
    let calls = api.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| !call.overlaps));
    assert_eq!(relay.rows().waiting_for_fetches, 0);
    assert_eq!(relay.with_outcome("fetching"), 0);
    assert_eq!(relay.responses().len(), 2, "an answer is kept once, whoever waited for it");
}

#[tokio::test]
async fn each_message_of_a_batch_is_fetched_for_itself() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "")).await;
    for (record, id) in [("tx-1", "tr_1"), ("tx-2", "tr_2")] {
        relay.register("payment", record, &payment(id, "10")).await;
        api.put(&format!("/v2/payments/{id}"), &object(id, "paid", "10.00"));
    }
    let events =
        [("e1", "payment", "tr_1"), ("e2", "payout", "po_1"), ("e3", "payment", "tr_2"), ("e4", "payment", "tr_1")];
    let answered = relay.batch(&events).await.expect(200);
    relay.came_to(&answered, "applied").await;
    transform.told("payment", "tx-1", 1).await;
    transform.told("payment", "tx-2", 1).await;
    assert_eq!(api.calls().len(), 2);
    assert_eq!(relay.rows().read_with_responses, 3);
}

#[tokio::test]
async fn one_message_that_fails_leaves_the_others_their_way() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "not_found_for = \"0s\"")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    api.put("/v2/payments/tr_1", &object("tr_1", "paid", "10.00"));
    let answered = relay.batch(&[("e1", "payment", "tr_9"), ("e2", "payment", "tr_1")]).await.expect(200);
    assert!(relay.died(&answered).await.contains("HTTP 404"));
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.outcomes(), ["dead_letter"]);
}

#[tokio::test]
async fn a_record_that_is_registered_later_has_missed_nothing() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "")).await;
    has_paid(&api, "tr_1", "10.00");
    let answered = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    relay.came_to(&answered, "parked").await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Succeeded");
    assert_eq!(relay.outcomes(), ["applied"]);
}

#[tokio::test]
async fn what_was_not_fetched_when_the_relay_was_killed_is_fetched_after_it() {
    let api = Api::start();
    let (transform, mut relay) = start(setup(&api, "")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    has_paid(&api, "tr_1", "10.00");
    api.script([Told::Hang]);
    relay.point(SOURCE, "tr_1", 1).await.expect(200);
    api.nth(1).await;
    relay.kill().await;
    relay.restart().await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Succeeded");
    assert_eq!(api.calls().len(), 2);
}

#[tokio::test]
async fn a_relay_that_stops_abandons_what_hangs_and_fetches_it_later() {
    let api = Api::start();
    let setup = Setup { grace: "1s", ..setup(&api, "timeout = \"1h\"") };
    let (transform, mut relay) = start(setup).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    has_paid(&api, "tr_1", "10.00");
    api.script([Told::Hang]);
    relay.point(SOURCE, "tr_1", 1).await.expect(200);
    api.nth(1).await;
    assert_eq!(relay.terminate().await.code, Some(0));
    relay.restart().await;
    transform.told("payment", "tx-1", 1).await;
}

#[tokio::test]
async fn so_many_at_once_and_no_more() {
    let api = Api::start();
    let (_transform, relay) = start(setup(&api, "concurrency = 2\nrate = 1000")).await;
    let (gates, mut last) = (["a", "b"].map(|_| Told::held_back()), None);
    let [one, two] = gates;
    api.script([one.0, two.0]);
    for n in 0..8 {
        has_paid(&api, &format!("tr_{n}"), "10.00");
        last = Some(relay.point(SOURCE, &format!("tr_{n}"), n).await.expect(200));
    }
    api.nth(2).await;
    one.1.open();
    two.1.open();
    relay.came_to(&last.unwrap(), "parked").await;
    let calls = api.nth(8).await;
    assert!(calls.iter().all(|call| call.beside < 2), "{calls:?}");
}

#[tokio::test]
async fn so_many_a_second_and_no_more() {
    let api = Api::start();
    let (_transform, relay) = start(setup(&api, "rate = 2")).await;
    // Measured from before the first notification: that one may have been slow to arrive, but not early.
    let before = tokio::time::Instant::now();
    for n in 0..5 {
        has_paid(&api, &format!("tr_{n}"), "10.00");
        relay.point(SOURCE, &format!("tr_{n}"), n).await.expect(200);
    }
    let calls = api.nth(5).await;
    let took = calls[4].at - before;
    assert!(took >= std::time::Duration::from_millis(1400), "two at once, then one each half second: {took:?}");
}

#[tokio::test]
async fn an_api_that_hangs_slows_nobody_else() {
    let (dead, alive) = (Api::start(), Api::start());
    let mut setup = setup(&dead, "timeout = \"1h\"");
    setup.more.push_str(&source("pointing-two", &alive, &format!("token = \"{API_TOKEN}\"")));
    let (transform, relay) = start(setup).await;
    dead.script((0..9).map(|_| Told::Hang));
    for n in 0..9 {
        relay.point(SOURCE, &format!("tr_{n}"), n).await.expect(200);
    }
    dead.nth(4).await;
    relay.register("payment", "tx-2", &payment("tr_2", "10")).await;
    has_paid(&alive, "tr_2", "10.00");
    relay.point("pointing-two", "tr_2", 1).await.expect(200);
    transform.told("payment", "tx-2", 1).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await, "applied");
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(dead.calls().len(), 4);
}

#[tokio::test]
async fn what_a_source_says_of_fetching_is_checked() {
    let api = Api::start();
    let wrong = [
        ("mode = \"often\"", "mode"),
        ("base_url = \"http://api.example\"", "base_url"),
        ("base_url = \"https://api.example/?a=b\"", "base_url"),
        ("rate = 0", "rate"),
        ("concurrency = 0", "concurrency"),
        ("timeout = \"0s\"", "timeout"),
        ("not_found_for = \"soon\"", "not_found_for"),
        ("give_up_after = -1", "give_up_after"),
        ("max_hints = 0", "max_hints"),
        ("max_hints_per_address = 0", "max_hints_per_address"),
        ("tokens = [\"t\"]", "tokens"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (line, key) in wrong {
        let more = setup(&api, line);
        let text = more.text(folder.path(), "127.0.0.1:1");
        // If a key is given twice, the test's value counts.
        let base = format!("base_url = \"{}\"\n", api.url());
        let text = if line.starts_with("base_url") { text.replace(&base, "") } else { text };
        let file = folder.path().join("relay.toml");
        std::fs::write(folder.path().join("media-password"), "x").unwrap();
        std::fs::write(&file, text).unwrap();
        let ended =
            crate::support::program::run(&["check", "--config", file.to_str().unwrap()], &more.environment()).await;
        assert_eq!(ended.code, Some(64), "{line}: {ended:?}");
        assert!(ended.stderr.contains(&format!("sources.pointing.fetch.{key}")), "{line}: {}", ended.stderr);
    }
}
