//! Certificates of a PSP that signs with one: PayPal's profile, with a host of the test's instead of PayPal's.

use std::future::{Future, poll_fn};
use std::sync::mpsc;
use std::task::Poll;

use serde_json::json;
use transform_relay::psp::profile::catalogue::Catalogue;

use crate::support::certificates::{Authority, Host, Page, SigningKey, around_checksum, with_checksum};
use crate::support::fixtures;
use crate::support::integrator::{amount, with};
use crate::support::tls::Certificate;
use crate::support::{Relay, Reply, Setup, payment, refund, start};

const WEBHOOK: &str = "4JH86294D6297924G";
const CERTIFICATE: &str = "/v1/notifications/certs/CERT-1";
const NAME: &str = "messageverificationcerts.paypal.com";

/// PayPal, its host, and a relay that knows both.
struct World {
    authority: Authority,
    key: SigningKey,
    host: Host,
    relay: Relay,
    _transform: crate::support::Transform,
    _folder: tempfile::TempDir,
}

impl World {
    /// `failures_kept`: the setting of the configuration.
    async fn new(failures_kept: &str) -> Self {
        let (authority, key, tls) = (Authority::new(), SigningKey::new(), Certificate::of("localhost"));
        let host = Host::start(&tls);
        let folder = tempfile::tempdir().unwrap();
        let profile = Catalogue::built_in().unwrap().get("paypal").unwrap().text.clone();
        let own = profile.toml().replace("\"api.paypal.com\", ", &format!("\"localhost:{}\", ", host.port));
        assert_ne!(own, profile.toml(), "the profile names its hosts otherwise");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        file("profiles/paypal.toml", &own);
        let (roots, trusted) = (file("roots.pem", &authority.pem()), file("tls.pem", &tls.pem));
        let more = format!(
            "[certificates]\nroots = \"{roots}\"\ntimeout = \"60s\"\nfailures_kept = \"{failures_kept}\"\n\
             [profiles]\ndir = \"{}\"\n\
             [sources.paypal]\nprofile = \"paypal\"\nsettings = {{ webhook-id = \"{WEBHOOK}\" }}\n",
            folder.path().join("profiles").display(),
        );
        let environment = vec![("SSL_CERT_FILE".to_owned(), trusted)];
        let (transform, relay) = start(Setup { more, environment, ..Setup::silent() }).await;
        Self { authority, key, host, relay, _transform: transform, _folder: folder }
    }

    /// Serves a good certificate at that path.
    fn certified(&self, path: &str) {
        self.host.put(path, Page::new(200, self.authority.issue(NAME, &self.key, 2100)));
    }

    /// The notification of a complete capture of 10 EUR, signed with a certificate from that URL.
    async fn notify(&self, event: &str, url: &str) -> Reply {
        let body = completed(event);
        self.relay.post("paypal", &self.key.transmission(WEBHOOK, url, &body), body).await
    }

    async fn refused(&self, event: &str, url: &str, why: &str) {
        assert_eq!(self.notify(event, url).await.problem(401), "no or wrong credentials", "{why}");
        self.relay.program.logged(&["notification refused", "paypal", why]).await;
    }

    /// The notification is not verified, and not refused for good either.
    async fn put_off(&self, event: &str, url: &str, why: &str) {
        let reply = self.notify(event, url).await;
        assert_eq!(reply.problem(503), "this cannot be verified now", "{why}");
        assert_ne!(reply.header("retry-after"), "");
        self.relay.program.logged(&["notification refused", "paypal", why]).await;
    }

    fn nothing_was_stored(&self) {
        assert_eq!(self.relay.rows().notifications, 0);
    }
}

fn completed(event: &str) -> String {
    json!({
        "id": event, "event_type": "PAYMENT.CAPTURE.COMPLETED", "create_time": "2026-03-01T10:00:00Z",
        "resource_version": "2.0",
        "resource": {"id": "CAP1", "status": "COMPLETED", "amount": {"currency_code": "EUR", "value": "10.00"}},
    })
    .to_string()
}

/// Runs all of these futures at once, and waits for the last.
async fn together<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    poll_fn(|context| {
        for (one, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(value) = one.as_mut().poll(context) {
                *output = Some(value);
            }
        }
        if running.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn one_fetch_serves_all_notifications() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let url = world.host.url(CERTIFICATE);
    world.relay.register("payment", "tx-1", &payment("CAP1", "10")).await;
    let (open, gate) = mpsc::channel();
    let body = world.authority.issue(NAME, &world.key, 2100);
    world.host.put(CERTIFICATE, Page { gate: Some(gate), ..Page::new(200, body) });
    let events: Vec<_> = (0..20).map(|n| format!("WH-{n}")).collect();
    let answers = together(events.iter().map(|event| world.notify(event, &url)));
    let opened = async {
        world.host.asked_times(1).await;
        open.send(()).unwrap();
    };
    let (answers, ()) = tokio::join!(answers, opened);
    answers.into_iter().for_each(|answer| drop(answer.expect(200)));
    assert_eq!(world.relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    world.notify("WH-later", &url).await.expect(200);
    assert_eq!(world.host.asked(), [CERTIFICATE]);
}

#[tokio::test]
async fn what_the_certificate_does_not_vouch_for_is_refused() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let url = world.host.url(CERTIFICATE);
    let body = completed("WH-1");
    let good = world.key.transmission(WEBHOOK, &url, &body);
    let relay = &world.relay;
    let refused = async |headers: &[(String, String)], body: &str| {
        assert_eq!(relay.post("paypal", headers, body.to_owned()).await.problem(401), "no or wrong credentials");
    };
    refused(&good, &body.replace("10.00", "99.00")).await;
    refused(&good, &format!("{body}\n")).await;
    refused(&world.key.transmission("3TR748995U920805P", &url, &body), &body).await;
    refused(&SigningKey::new().transmission(WEBHOOK, &url, &body), &body).await;
    for left_out in ["Paypal-Transmission-Id", "Paypal-Transmission-Time", "Paypal-Transmission-Sig", "Paypal-Cert-Url"]
    {
        let rest: Vec<_> = good.iter().filter(|(name, _)| name != left_out).cloned().collect();
        refused(&rest, &body).await;
    }
    world.nothing_was_stored();
    world.relay.post("paypal", &good, body).await.expect(200);
    assert_eq!(world.host.asked(), [CERTIFICATE]);
}

#[tokio::test]
async fn a_certificate_that_is_not_the_psps_vouches_for_nothing() {
    let world = World::new("1h").await;
    let World { authority, key, host, .. } = &world;
    let cases = [
        (key.vouches_for_itself(NAME), "UnknownIssuer"),
        (Authority::new().issue(NAME, key, 2100), "UnknownIssuer"),
        (authority.issue("messageverificationcerts.paypal.com.evil.example", key, 2100), "no name below .paypal.com"),
        (authority.issue(NAME, key, 2025), "CertExpired"),
        ("<html>no certificate</html>".to_owned(), "holds no certificate"),
    ];
    for (n, (pem, why)) in cases.into_iter().enumerate() {
        let path = format!("/certs/{n}");
        host.put(&path, Page::new(200, pem));
        world.refused("WH-1", &host.url(&path), why).await;
        // The URL is not asked again, whatever it would serve now.
        world.certified(&path);
        world.refused("WH-1", &host.url(&path), why).await;
        assert_eq!(host.asked().len(), n + 1, "{why}");
    }
    world.nothing_was_stored();
}

#[tokio::test]
async fn a_certificate_is_fetched_from_the_profiles_hosts_only() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let stranger = Host::start(&Certificate::of("localhost"));
    let port = world.host.port;
    let urls = [
        stranger.url(CERTIFICATE),
        format!("https://127.0.0.1:{port}{CERTIFICATE}"),
        format!("https://localhost{CERTIFICATE}"),
        format!("http://localhost:{port}{CERTIFICATE}"),
        format!("https://user@localhost:{port}{CERTIFICATE}"),
        format!("https://localhost:{port}@evil.example{CERTIFICATE}"),
        format!("https://localhost:{port}{CERTIFICATE}?n=1"),
        format!("https://localhost:{port}{CERTIFICATE}#n"),
        format!("https://localhost:{port}/{}", "a".repeat(600)),
        "CERT-1".to_owned(),
    ];
    for url in urls {
        world.refused("WH-1", &url, "no certificate of the PSP's").await;
    }
    assert!(world.host.asked().is_empty() && stranger.asked().is_empty());
    world.nothing_was_stored();
}

#[tokio::test]
async fn a_notification_whose_certificate_cannot_be_had_now_may_come_again() {
    let world = World::new("0s").await;
    let url = world.host.url(CERTIFICATE);
    let elsewhere = vec![("Location", world.host.url("/other"))];
    world.certified("/other");
    let pages = [
        (Page::new(404, ""), "HTTP 404"),
        (Page::new(500, "broken"), "HTTP 500"),
        (Page { headers: elsewhere, ..Page::new(302, "") }, "HTTP 302"),
        (Page::new(200, "x".repeat(70_000)), "more than 65536 bytes"),
    ];
    for (page, why) in pages {
        world.host.put(CERTIFICATE, page);
        world.put_off("WH-1", &url, why).await;
    }
    world.nothing_was_stored();
    world.certified(CERTIFICATE);
    world.notify("WH-1", &url).await.expect(200);
    assert!(world.host.asked().iter().all(|path| path == CERTIFICATE), "a redirect was followed");
}

#[tokio::test]
async fn a_url_that_failed_costs_nothing_more() {
    let world = World::new("1h").await;
    let url = world.host.url(CERTIFICATE);
    for event in ["WH-1", "WH-2", "WH-3"] {
        world.put_off(event, &url, "HTTP 404").await;
    }
    assert_eq!(world.host.asked(), [CERTIFICATE]);
    // Another URL is asked at once.
    world.certified("/certs/new");
    world.notify("WH-1", &world.host.url("/certs/new")).await.expect(200);
}

#[tokio::test]
async fn only_a_few_certificates_are_fetched_at_once() {
    const AT_ONCE: usize = 8;
    let world = World::new("0s").await;
    let (paths, gates): (Vec<_>, Vec<_>) = (0..AT_ONCE)
        .map(|n| {
            let (open, gate) = mpsc::channel::<()>();
            let path = format!("/certs/{n}");
            let page = Page::new(200, world.authority.issue(NAME, &world.key, 2100));
            world.host.put(&path, Page { gate: Some(gate), ..page });
            (world.host.url(&path), open)
        })
        .unzip();
    let events: Vec<_> = (0..AT_ONCE).map(|n| format!("WH-{n}")).collect();
    let held = together(events.iter().zip(&paths).map(|(event, url)| world.notify(event, url)));
    let meanwhile = async {
        world.host.asked_times(AT_ONCE).await;
        world.put_off("WH-one-too-many", &world.host.url(CERTIFICATE), "8 others are being fetched").await;
        drop(gates);
    };
    let (answers, ()) = tokio::join!(held, meanwhile);
    answers.into_iter().for_each(|answer| drop(answer.expect(200)));
    world.certified(CERTIFICATE);
    world.notify("WH-one-too-many", &world.host.url(CERTIFICATE)).await.expect(200);
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(fixtures::body("paypal", &format!("{name}.json"))).unwrap()
}

/// A reversal that arrives before the capture that it takes back, and disputes around it. The money is gone once.
#[tokio::test]
async fn the_story_of_a_reversal() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let url = world.host.url(CERTIFICATE);
    let tell = async |name: &str| {
        let body = fixture(name);
        let reply = world.relay.post("paypal", &world.key.transmission(WEBHOOK, &url, &body), body).await;
        reply.expect(200).json()["outcome"].as_str().unwrap().to_owned()
    };
    let id = "20260301-65e1a2b3c4d5e6f708192a3b";
    let registered = json!({"requestedAmount": amount("49.9"), "currency": "EUR"});
    world.relay.register("payment", id, &registered).await;
    assert_eq!(tell("payment.capture.reversed-v2").await, "parked");
    tell("customer.dispute.created").await;
    tell("checkout.order.approved-capture").await;
    tell("payment.capture.completed-v2").await;
    tell("customer.dispute.resolved-for-the-buyer").await;
    let payment = world.relay.fetched("Payment", id).await;
    assert_eq!(payment["payments"][0]["amount"].to_string(), "49.9");
    assert_eq!(payment["chargebacks"].as_array().unwrap().len(), 1, "{payment}");
    assert_eq!(payment["chargebacks"][0]["amount"].to_string(), "49.9");
    assert_eq!(payment["chargebacks"][0]["reason"], "UserInitiated");
    assert_eq!(payment.get("refundableAmount"), None);
    // A reversal names no dispute: which one was won is not known, and the money that is gone stays gone.
    tell("customer.dispute.resolved-for-the-seller").await;
    let payment = world.relay.fetched("Payment", id).await;
    assert_eq!(payment["chargebacks"].as_array().unwrap().len(), 1, "{payment}");
    assert_eq!(payment.get("refundableAmount"), None);
}

/// Money that goes back is a positive amount, whatever its sign in the notification.
#[tokio::test]
async fn a_negative_amount_is_a_refund() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let url = world.host.url(CERTIFICATE);
    let refund = with(refund("4REF0000000000001", "tx-usd", "0.15"), "currency", "USD");
    world.relay.register("payment", "tx-usd", &with(payment("6SALE000000000001", "20"), "currency", "USD")).await;
    world.relay.register("refund", "tx-refund", &refund).await;
    for name in ["payment.sale.completed-of-subscription", "payment.capture.refunded-v1-negative"] {
        let body = fixture(name).replace("20260301-65e1a2b3c4d5e6f708192a3b", "tx-usd");
        let headers = world.key.transmission(WEBHOOK, &url, &body);
        assert_eq!(world.relay.post("paypal", &headers, body).await.expect(200).json()["outcome"], "applied");
    }
    assert_eq!(world.relay.fetched("Refund", "tx-refund").await["refundedAmount"].to_string(), "0.15");
    assert_eq!(world.relay.fetched("Payment", "tx-usd").await["refundedAmount"].to_string(), "0.15");
}

/// The outcomes of the contents that came after the first of their dedupe key.
fn further(relay: &Relay) -> Vec<String> {
    relay.notifications().into_iter().filter(|kept| kept.further).map(|kept| kept.outcome).collect()
}

/// PayPal signs the CRC-32 of a body, and anybody can make another body with the same sum.
#[tokio::test]
async fn what_is_signed_by_a_checksum_belongs_to_the_first_body() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let (relay, url) = (&world.relay, world.host.url(CERTIFICATE));
    relay.register("payment", "tx-1", &payment("CAP1", "10")).await;
    relay.register("payment", "tx-2", &payment("CAP2", "5000")).await;
    let genuine = completed("WH-1");
    let headers = world.key.transmission(WEBHOOK, &url, &genuine);
    let made = |n: usize| {
        let mut other: serde_json::Value = serde_json::from_str(&completed(&format!("WH-made-{n}"))).unwrap();
        other["resource"]["id"] = "CAP2".into();
        other["resource"]["amount"]["value"] = "5000.00".into();
        with_checksum(&other, crc32fast::hash(genuine.as_bytes()))
    };
    relay.post("paypal", &headers, genuine.clone()).await.expect(200);
    for n in 0..110 {
        let answered = relay.post("paypal", &headers, made(n)).await;
        assert!([200, 503].contains(&answered.status), "{}", answered.text);
    }
    // Beside the genuine body, 100 contents of its key are kept, which is the limit; any of them may be forged.
    assert_eq!(relay.rows().notifications, 101);
    assert_eq!(relay.dead_letters().await.len(), 100);
    assert_eq!(further(relay).len(), 100);
    assert_eq!(relay.fetch("Payment", "tx-2").await.json()["status"], "Initiated");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    assert_eq!(relay.post("paypal", &headers, genuine).await.header("idempotent-replayed"), "true");
    relay.program.logged(&["WARN", "paypal", "came before with another body"]).await;
}

/// An unreadable body is no news of its own either: it is deleted before dead letters that need a person.
#[tokio::test]
async fn a_body_that_cannot_be_read_is_not_the_first_of_what_is_signed() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let (relay, url) = (&world.relay, world.host.url(CERTIFICATE));
    relay.register("payment", "tx-1", &payment("CAP1", "10")).await;
    let genuine = completed("WH-1");
    let headers = world.key.transmission(WEBHOOK, &url, &genuine);
    relay.post("paypal", &headers, genuine.clone()).await.expect(200);
    let made = |n: usize| around_checksum(&format!("no JSON {n} "), "", crc32fast::hash(genuine.as_bytes()));
    for n in 0..3 {
        relay.post("paypal", &headers, made(n)).await.expect(200);
    }
    assert_eq!(further(relay), ["dead_letter"; 3]);
    // A genuine unreadable body is a dead letter that needs a person.
    let broken = "no JSON".to_owned();
    let headers = world.key.transmission(WEBHOOK, &url, &broken);
    relay.post("paypal", &headers, broken).await.expect(200);
    assert_eq!((further(relay).len(), relay.with_outcome("dead_letter")), (3, 4));
}

/// The same holds if the first body concerns no record.
#[tokio::test]
async fn what_is_signed_of_an_ignored_body_is_not_anothers() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let (relay, url) = (&world.relay, world.host.url(CERTIFICATE));
    relay.register("payment", "tx-1", &payment("CAP1", "10")).await;
    let genuine = json!({"id": "WH-1", "event_type": "NOT.OF.A.RECORD", "resource_version": "2.0"}).to_string();
    let headers = world.key.transmission(WEBHOOK, &url, &genuine);
    relay.post("paypal", &headers, genuine.clone()).await.expect(200);
    let other: serde_json::Value = serde_json::from_str(&completed("WH-2")).unwrap();
    relay.post("paypal", &headers, with_checksum(&other, crc32fast::hash(genuine.as_bytes()))).await.expect(200);
    assert_eq!(relay.fetch("Payment", "tx-1").await.json()["status"], "Initiated");
}

/// PayPal signs an event anew when it sends it again.
#[tokio::test]
async fn what_is_signed_anew_is_known_by_its_event() {
    let world = World::new("0s").await;
    world.certified(CERTIFICATE);
    let (relay, url) = (&world.relay, world.host.url(CERTIFICATE));
    relay.register("payment", "tx-1", &payment("CAP1", "10")).await;
    relay.register("refund", "rf-1", &refund("REF1", "tx-1", "4")).await;
    let event = json!({
        "id": "WH-1", "event_type": "PAYMENT.CAPTURE.REFUNDED", "create_time": "2026-03-01T10:00:00Z",
        "resource_version": "2.0",
        "resource": {"id": "REF1", "status": "COMPLETED", "amount": {"currency_code": "EUR", "value": "4.00"}},
    });
    let sent = async |time: &str, body: &str| {
        relay.post("paypal", &world.key.transmission_at(time, WEBHOOK, &url, body), body.to_owned()).await.expect(200)
    };
    sent("2026-03-01T10:00:00Z", &completed("WH-0")).await;
    for time in ["2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"] {
        assert_eq!(sent(time, &event.to_string()).await.json()["outcome"], "applied");
    }
    let again = "2026-03-01T12:00:00Z";
    let another = completed("WH-2").replace("CAP1", "CAP2");
    sent(again, &another.replace("\"status\"", "\"custom_id\":\"tx-1\",\"status\"")).await;
    sent(again, &event.to_string()).await;
    assert_eq!(relay.fetched("Refund", "rf-1").await["status"], "Succeeded");
    let kept: Vec<_> = relay.notifications().into_iter().map(|kept| (kept.outcome, kept.repeats)).collect();
    assert_eq!(kept, [0, 2, 0].map(|repeats| ("applied".to_owned(), repeats)));
    // A caught signature of the last transmission vouches for no other event.
    let mut other = event.clone();
    (other["id"], other["resource"]["amount"]["value"]) = ("WH-3".into(), "3.00".into());
    let made = with_checksum(&other, crc32fast::hash(event.to_string().as_bytes()));
    assert_eq!(sent(again, &made).await.json()["outcome"], "dead_letter");
    assert_eq!(further(relay).len(), 1);
}
