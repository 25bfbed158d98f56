//! Unsigned times: a caught notification that is sent again with another time, or with the borders between its signed
//! fields moved, changes nothing. Its first time counts.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::program::run;
use crate::support::{Relay, Setup, adyen, payment, start, stripe};

fn ago(minutes: i64) -> String {
    (Timestamp::now() - SignedDuration::from_mins(minutes)).to_string()
}

pub(super) fn dated(item: &Value, at: &str) -> Value {
    adyen::with(item.clone(), "eventDate", at)
}

pub(super) fn authorised() -> Value {
    dated(&adyen::item("AUTHORISATION", "PSP1", "", 0, 8925), &ago(50))
}

fn cancelled() -> Value {
    dated(&adyen::item("CANCELLATION", "CANC1", "PSP1", 0, 8925), &ago(40))
}

pub(super) async fn tell(relay: &Relay, notification: &Value) {
    relay.notify("adyen-main", notification).await.expect(200);
}

pub(super) async fn payment_of(relay: &Relay) -> Value {
    relay.fetch("Payment", "tx-1").await.json()
}

/// Adyen signs eight fields of an item, and the date is not among them.
#[tokio::test]
async fn an_item_that_is_sent_again_with_another_date_overrules_nothing() {
    for date in ["2099-01-01T00:00:00Z".to_owned(), Timestamp::now().to_string(), "1999-01-01T00:00:00Z".to_owned()] {
        let replayed = dated(&authorised(), &date);
        let genuine_first = [&authorised(), &replayed, &cancelled()];
        for order in [genuine_first, [&authorised(), &cancelled(), &replayed], [&cancelled(), &authorised(), &replayed]]
        {
            let (_transform, relay) = start(Setup::silent()).await;
            relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
            for notification in order {
                tell(&relay, notification).await;
            }
            let state = payment_of(&relay).await;
            assert_eq!(state["status"], "Cancelled", "{date} {order:?}");
            let line = relay.program.logged(&["WARN", "another time. Nobody signs the time"]).await;
            let named = |field: &str| line.split(&format!(" {field}=")).nth(1).unwrap().split(' ').next().unwrap();
            let (first, another): (Timestamp, Timestamp) =
                (named("first").parse().unwrap(), named("another").parse().unwrap());
            assert!((Timestamp::now() - first).get_seconds() / 60 == 50, "{line}");
            assert!(date.parse::<Timestamp>().unwrap() == another || date.starts_with("2099"), "{line}");
        }
    }
}

/// An event that comes before its record is registered keeps its first time, too.
#[tokio::test]
async fn a_parked_item_that_is_sent_again_keeps_its_first_date() {
    let (_transform, relay) = start(Setup::silent()).await;
    for notification in [&authorised(), &dated(&authorised(), "2099-01-01T00:00:00Z"), &cancelled()] {
        tell(&relay, notification).await;
    }
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    assert_eq!(payment_of(&relay).await["status"], "Cancelled");
}

/// Notifications are deleted after a while; the first time of an item is kept.
#[tokio::test]
async fn the_first_date_counts_when_the_inbox_has_forgotten_the_item() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    tell(&relay, &authorised()).await;
    tell(&relay, &cancelled()).await;
    relay.forget(&relay.notifications());
    tell(&relay, &dated(&authorised(), &ago(0))).await;
    assert_eq!(payment_of(&relay).await["status"], "Cancelled");
}

/// A signed time may still be wrong: a PSP's clock that ran ahead does not freeze a record.
#[tokio::test]
async fn a_time_ahead_of_the_receipt_counts_as_the_receipt() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let far = "2099-01-01T00:00:00Z".parse::<Timestamp>().unwrap().as_second();
    let before = Timestamp::now();
    assert_eq!(relay.stripe(&stripe::declined("pi_1", far, 1000, "insufficient_funds")).await, "applied");
    assert_eq!(relay.stripe(&stripe::paid("pi_1", Timestamp::now().as_second() + 60, 1000)).await, "applied");
    let state = payment_of(&relay).await;
    assert_eq!(state["status"], "Succeeded");
    let booked: jiff::civil::Date = state["payments"][0]["bookingDate"].as_str().unwrap().parse().unwrap();
    assert!(booked.year() < 2099 && booked >= before.to_zoned(jiff::tz::TimeZone::UTC).date(), "{booked}");
    relay
        .program
        .logged(&["WARN", "stripe-main", "of=\"event\"", "2099-01-01T00:00:00Z", "counts as the receipt"])
        .await;
}

/// A changed profile is tried on the kept notifications; the first time of a deleted one still counts.
#[tokio::test]
async fn what_is_read_again_keeps_the_first_date_of_what_is_gone() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let item = authorised();
    tell(&relay, &item).await;
    tell(&relay, &dated(&item, &ago(0))).await;
    tell(&relay, &cancelled()).await;
    let store = relay.file("relay.db");
    let first = &relay.notifications()[..1];
    relay.forget_versions(first);
    relay.forget(first);
    let replay = ["profile", "replay", "adyen", "--store", store.to_str().unwrap()];
    let ended = run(&replay, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("1 records compared: 0 would differ; 0 only partly"), "{ended:?}");
}

/// Adyen joins the signed fields with colons. If a reference holds a colon, the borders between the fields can be moved.
#[tokio::test]
async fn an_item_whose_borders_are_moved_is_no_other_item() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    relay.register("payment", "4711", &payment("PSP9", "89.25")).await;
    let genuine = adyen::with(authorised(), "merchantReference", "order:4711");
    tell(&relay, &genuine).await;
    tell(&relay, &cancelled()).await;
    let mut shifted = dated(&genuine, &ago(0));
    for (field, value) in
        [("originalReference", ":RelayTests"), ("merchantAccountCode", "order"), ("merchantReference", "4711")]
    {
        shifted = adyen::with(shifted, field, value);
    }
    tell(&relay, &shifted).await;
    assert_eq!(payment_of(&relay).await["status"], "Cancelled");
    assert_eq!(relay.fetch("Payment", "4711").await.json()["status"], "Initiated");
    relay.program.logged(&["WARN", "adyen-main", "other borders between its fields"]).await;
}

/// One body may repeat a caught item many times.
#[tokio::test]
async fn an_item_that_is_put_into_a_batch_many_times_is_one_item() {
    let (_transform, relay) = start(Setup::silent()).await;
    let mut batch = authorised();
    let items = batch["notificationItems"].as_array_mut().unwrap();
    items.extend(std::iter::repeat_n(items[0].clone(), 500));
    tell(&relay, &batch).await;
    assert_eq!(relay.parked().await.len(), 1);
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    assert_eq!(payment_of(&relay).await["status"], "Succeeded");
}

/// The day of a chargeback is that of its first time, also the time of its movement.
#[tokio::test]
async fn a_chargeback_that_is_sent_again_with_another_date_keeps_its_day() {
    let (_transform, relay) = start(Setup::silent()).await;
    for n in 1..=2 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("PSP{n}"), "89.25")).await;
        tell(&relay, &adyen::item("AUTHORISATION", &format!("PSP{n}"), "", 0, 8925)).await;
    }
    let taken = |n: usize| adyen::item("CHARGEBACK", &format!("DISPUTE{n}"), &format!("PSP{n}"), 10, 8925);
    let day = async |n: usize| {
        let state = relay.fetch("Payment", &format!("tx-{n}")).await.json();
        state["chargebacks"][0]["bookingDate"].as_str().unwrap().to_owned()
    };
    tell(&relay, &taken(1)).await;
    for date in ["2026-02-01T10:00:00+01:00", "2026-03-05T10:00:00+01:00"] {
        tell(&relay, &dated(&taken(1), date)).await;
        assert_eq!(day(1).await, "2026-03-02");
    }
    tell(&relay, &dated(&taken(2), "2099-01-01T10:00:00+01:00")).await;
    assert!(day(2).await.as_str() < "2099", "a time ahead counts as the receipt");
}
