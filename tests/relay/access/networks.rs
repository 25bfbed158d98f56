//! Networks, tokens and headers: the credentials that a source may ask for beside the signature, and all of them
//! together.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::psp::seal_with;
use crate::support::{Relay, Reply, Setup, program, start, stripe};

const SECRET: &str = "whsec_guarded_source";

fn guarded(settings: &str) -> Setup {
    let more = format!("[sources.guarded]\nprofile = \"stripe\"\nsecrets = [\"{SECRET}\"]\n{settings}");
    Setup { more, ..Setup::silent() }
}

/// The relay behind a proxy on this machine.
fn proxied(settings: &str, header: &str) -> Setup {
    let environment = [("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.1"), ("FORWARDED_HEADER", header)];
    let environment = environment.map(|(name, value)| (format!("RELAY_SERVER__{name}"), value.to_owned()));
    Setup { environment: environment.into(), ..guarded(settings) }
}

async fn notify(relay: &Relay, headers: &[(&str, &str)]) -> Reply {
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let sealed = seal_with("stripe", SECRET, jiff::Timestamp::now().as_second(), body.as_bytes());
    let mut all = sealed.headers;
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    relay.post("guarded", &all, sealed.body).await
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[tokio::test]
async fn any_token_or_the_password_is_enough_in_the_one_authorization_header() {
    let settings = "tokens = [\"token-one\", \"token-two\"]\nbasic = { username = \"u\", password = \"pass\" }";
    let (_transform, relay) = start(guarded(settings)).await;
    for wrong in ["", "Bearer", "Bearer token-three", "token-one", &basic("u", "token-one"), &basic("v", "pass")] {
        let reply = notify(&relay, &[("authorization", wrong)]).await;
        assert_eq!(reply.problem(401), "no or wrong credentials", "{wrong}");
    }
    notify(&relay, &[]).await.problem(401);
    relay.program.logged(&["notification refused", "guarded", "Authorization header"]).await;
    assert_eq!(relay.rows().notifications, 0);
    for right in ["Bearer token-one", "bearer token-two", &basic("u", "pass")] {
        notify(&relay, &[("authorization", right)]).await.expect(200);
    }
    let sources = relay.sources().await;
    let guarded = sources.as_array().unwrap().iter().find(|source| source["name"] == "guarded").unwrap();
    assert_eq!(guarded["proofs"], serde_json::json!(["signature", "basic", "bearer"]));
}

#[tokio::test]
async fn a_source_takes_notifications_from_its_addresses_only() {
    let (_transform, relay) = start(guarded("ip_ranges = [\"192.0.2.0/24\", \"2001:db8::/32\"]")).await;
    for forged in [vec![], vec![("x-forwarded-for", "192.0.2.7")], vec![("forwarded", "for=192.0.2.7")]] {
        notify(&relay, &forged).await.problem(403);
    }
    relay.program.logged(&["not in ip_ranges", "guarded", "address=127.0.0.1"]).await;
    assert_eq!(relay.rows().notifications, 0);
    let (_transform, relay) = start(guarded("ip_ranges = [\"192.0.2.0/24\", \"127.0.0.1\"]")).await;
    notify(&relay, &[("x-forwarded-for", "203.0.113.1")]).await.expect(200);
}

#[tokio::test]
async fn a_trusted_proxy_says_where_a_notification_comes_from() {
    let (_transform, relay) =
        start(proxied("ip_ranges = [\"192.0.2.0/24\", \"2001:db8::/32\"]", "X-Forwarded-For")).await;
    for good in ["192.0.2.7", "203.0.113.1, 192.0.2.7", "192.0.2.7, 10.0.0.1", "2001:db8::1", "192.0.2.7:443"] {
        notify(&relay, &[("x-forwarded-for", good)]).await.expect(200);
    }
    for bad in ["203.0.113.1", "192.0.2.7, 203.0.113.1", "192.0.2.7, unknown", "", "192.0.3.7", "10.0.0.1"] {
        notify(&relay, &[("x-forwarded-for", bad)]).await.problem(403);
    }
    notify(&relay, &[]).await.problem(403);
    // Of several lines, the last one was written by the nearest proxy.
    notify(&relay, &[("x-forwarded-for", "203.0.113.1"), ("x-forwarded-for", "192.0.2.7")]).await.expect(200);
    notify(&relay, &[("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "203.0.113.1")]).await.problem(403);
    // The other header may be the client's own.
    notify(&relay, &[("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=192.0.2.7")]).await.problem(403);

    let (_transform, relay) = start(proxied("ip_ranges = [\"192.0.2.0/24\"]", "forwarded")).await;
    notify(&relay, &[("forwarded", "for=\"192.0.2.7:80\";proto=https"), ("x-forwarded-for", "1.1.1.1")])
        .await
        .expect(200);
    notify(&relay, &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "192.0.2.7")]).await.problem(403);
}

#[tokio::test]
async fn all_that_a_source_asks_for_must_be_there() {
    let settings = "tokens = [\"token\"]\nheaders = { X-One = \"1\", X-Two = \"2\" }\nip_ranges = [\"192.0.2.0/24\"]";
    let (_transform, relay) = start(proxied(settings, "x-forwarded-for")).await;
    let all = [("authorization", "Bearer token"), ("x-one", "1"), ("x-two", "2"), ("x-forwarded-for", "192.0.2.7")];
    for left_out in 0..all.len() {
        let rest: Vec<_> =
            all.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, header)| *header).collect();
        let status = if left_out == 3 { 403 } else { 401 };
        notify(&relay, &rest).await.problem(status);
    }
    let named: Vec<_> = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    relay.post("guarded", &named, "{}").await.problem(401);
    assert_eq!(relay.rows().notifications, 0);
    notify(&relay, &all).await.expect(200);
}

#[tokio::test]
async fn what_is_wrong_with_a_way_in_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let source = "[sources.x]\nprofile = \"stripe\"\nsecrets = [\"s\"]\n";
    let client = "client_id = \"c\"\nclient_secret = \"s\"\n";
    for (settings, key) in [
        (format!("{source}ip_ranges = [\"127.0.0.1\", \"10.0.0.0/33\"]"), "sources.x.ip_ranges[1]"),
        (format!("{source}tokens = [\"\"]"), "sources.x.tokens[0]"),
        ("[server]\ntrusted_proxies = [\"proxy.example\"]".into(), "server.trusted_proxies[0]"),
        // No caller could match such a value, so it would lock every caller out.
        ("[server]\ntrusted_proxies = [\"::ffff:10.0.0.1\"]".into(), "server.trusted_proxies[0]"),
        (format!("{source}ip_ranges = [\"10.0.0.0/8\", \"::ffff:10.0.0.0/104\"]"), "sources.x.ip_ranges[1]"),
        (format!("{source}headers = {{ \"X Token\" = \"a\" }}"), "sources.x.headers.***"),
        ("[server]\nforwarded_header = \"x-real-ip\"".into(), "server.forwarded_header"),
        ("[throttle]\nfailures = 0".into(), "throttle.failures"),
        ("[throttle]\nwindow = \"0s\"".into(), "throttle.window"),
        ("[oauth]\ntoken_lifetime = \"1500ms\"".into(), "oauth.token_lifetime"),
        ("[[transform.oauth]]\nclient_secret = \"s\"".into(), "transform.oauth[0].client_id"),
        ("[[transform.oauth]]\nclient_id = \"c\"".into(), "transform.oauth[0].client_secret"),
        (format!("[[transform.oauth]]\n{client}username = \"u\""), "transform.oauth[0].password"),
        (format!("[[transform.oauth]]\n{client}password = \"u\""), "transform.oauth[0].username"),
        (format!("[[transform.oauth]]\n{client}[[integrator.oauth]]\n{client}"), "transform.oauth[0].client_id"),
        (
            format!("[[integrator.oauth]]\n{client}{source}[[sources.x.oauth]]\n{client}"),
            "sources.x.oauth[0].client_id",
        ),
    ] {
        std::fs::write(&file, &settings).unwrap();
        let ended = program::run(&["check", "--config", file.to_str().unwrap()], &[]).await;
        assert_eq!(ended.code, Some(64), "{settings}: {ended:?}");
        assert!(ended.stderr.contains(&format!("{key}: ")), "{key} in {:?}", ended.stderr);
    }
}

/// A client can write bytes into the header that are no text; the address that its proxy adds counts all the same.
#[tokio::test]
async fn bytes_that_are_no_text_hide_nobody_behind_a_proxy() {
    let signed = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    for (header, elements) in [
        ("X-Forwarded-For", [&b"\xff, 203.0.113.1"[..], b"192.0.2.7\xe9, 203.0.113.1", b"\x80,192.0.2.7,203.0.113.1"]),
        (
            "Forwarded",
            [b"for=\xff, for=203.0.113.1", b"for=203.0.113.1;host=\"\xe9\"", b"for=192.0.2.7;\xff, for=203.0.113.1"],
        ),
    ] {
        // The proxy itself would be let in.
        let (_transform, relay) = start(proxied("ip_ranges = [\"192.0.2.0/24\", \"127.0.0.1\"]", header)).await;
        for line in elements {
            let sealed = seal_with("stripe", SECRET, jiff::Timestamp::now().as_second(), signed.as_bytes());
            let head =
                format!("POST /notifications/guarded HTTP/1.1\r\nhost: r\r\ncontent-length: {}\r\n", signed.len());
            let signature = format!("{}: {}\r\n{header}: ", sealed.headers[0].0, sealed.headers[0].1);
            let bytes = [head.as_bytes(), signature.as_bytes(), line, b"\r\n\r\n", signed.as_bytes()].concat();
            let (statuses, answer) = relay.exchange(&bytes);
            assert_eq!(statuses, [403], "{:?} → {answer}", String::from_utf8_lossy(line));
        }
        relay.program.logged_times(&["not in ip_ranges", "guarded", "address=203.0.113.1"], 3).await;
    }
}
