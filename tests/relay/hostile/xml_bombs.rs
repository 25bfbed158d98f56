//! Hostile XML that is made to be slow or large, as notifications. src/psp/document/xml.rs bounds its cost.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder};

use crate::support::{Relay, Setup, start};

fn wpg() -> Setup {
    let source =
        "[sources.wpg]\nprofile = \"worldpay-wpg\"\nbasic = { username = \"wpg\", password = \"wpg-password-7c1d\" }\n";
    Setup { more: source.to_owned(), max_body: "1MiB", ..Setup::silent() }
}

fn post(relay: &Relay, body: String) -> RequestBuilder {
    let credentials = format!("Basic {}", STANDARD.encode("wpg:wpg-password-7c1d"));
    let request = relay.request(Method::POST, "/notifications/wpg").header("Content-Type", "text/xml");
    request.header("Authorization", credentials).body(body)
}

fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

/// Each with the reason that the log gives.
fn bombs() -> [(String, &'static str); 5] {
    let nested = |count| format!("{}{}", many(count, |n| format!("<a xmlns:n{n}='u'>")), "</a>".repeat(count));
    [
        (format!("<a{}/>", many(90_000, |n| format!(" a{n}=''"))), "more than 64 attributes"),
        (format!("<a{}/>", many(40_000, |n| format!(" xmlns:n{n}='u'"))), "more than 64 attributes"),
        (nested(20_000), "more than 64 namespaces"),
        (format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)), "nested deeper than 64"),
        (
            format!("<!DOCTYPE a [<!ENTITY a \"{}\">]><a>{}</a>", "y".repeat(60_000), "&a;".repeat(60_000)),
            "a document type with declarations of its own",
        ),
    ]
}

#[tokio::test]
async fn a_bomb_is_a_dead_letter_and_holds_nobody_up() {
    let (_transform, relay) = start(wpg()).await;
    let bombs = bombs();
    let healthy = || relay.request(Method::GET, "/healthz");
    let requests =
        bombs.iter().flat_map(|(bomb, _)| [post(&relay, bomb.clone()), healthy(), post(&relay, bomb.clone())]);
    for reply in relay.send_all(requests).await {
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    for (_, reason) in &bombs {
        relay.program.logged(&["notification kept as a dead letter", "wpg", reason]).await;
    }
    assert_eq!(relay.dead_letters().await.len(), 5, "each once");
    relay.still_serves().await;
}
