//! A store of an earlier version is taken over while PSPs and the payment stack go on sending.

use std::net::TcpListener;
use std::time::Duration;

use super::power_cuts::earlier;
use crate::support::{Setup, payment, psp, start, stripe, within};

const AT: i64 = 1_700_000_000;
const SENDERS: usize = 8;
/// The notifications that each sender sends.
const EACH: usize = 10;

/// Sends notifications of its own one after the other. Who gets no 2xx sends again, as PSPs do.
async fn send(address: String, sender: usize) {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    for n in 0..EACH {
        let event = stripe::paid(&format!("pi_new_{sender}_{n}"), AT, 1000);
        let sealed = psp::seal("stripe-main", event.to_string().as_bytes());
        loop {
            let mut request = client.post(format!("http://{address}/notifications/stripe-main"));
            for (name, value) in &sealed.headers {
                request = request.header(name, value);
            }
            match request.body(sealed.body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => break,
                _ => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    }
}

/// The relay of the version before is stopped, and this one takes its store.
#[tokio::test]
async fn what_is_sent_while_a_store_is_taken_over_is_there_afterwards() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.kill().await;
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(relay.file(&format!("relay.db{end}"))));
    }
    earlier::make(&relay.file("relay.db"));
    // A place that is known before the relay listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    relay.setup.environment.push(("RELAY_SERVER__LISTEN".to_owned(), address.clone()));
    let senders: Vec<_> = (0..SENDERS).map(|sender| tokio::spawn(send(address.clone(), sender))).collect();
    relay.restart().await;
    relay.program.logged(&["the store is brought to this version"]).await;
    for sender in senders {
        within("all to be answered 2xx", sender).await.unwrap();
    }
    let kept = usize::try_from(earlier::NOTIFICATIONS).unwrap() + SENDERS * EACH;
    assert_eq!(relay.outcomes().len(), kept);
    for (sender, n) in (0..SENDERS).flat_map(|sender| (0..EACH).map(move |n| (sender, n))) {
        let id = format!("tx-new-{sender}-{n}");
        relay.register("payment", &id, &payment(&format!("pi_new_{sender}_{n}"), "10")).await;
        assert_eq!(relay.fetched("Payment", &id).await["status"], "Succeeded");
    }
    for n in 0..earlier::RECORDS {
        relay.fetched("Payment", &format!("old-{n}")).await;
    }
    assert!(relay.is_sound());
}
