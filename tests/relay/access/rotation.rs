//! Secrets with names and times, and `secret rotate`.

use std::cell::{Cell, RefCell};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::program::{Ended, run, run_after};
use crate::support::psp::seal_with;
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Reply, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;
/// The source's first secret, in the file that rotations write.
const FIRST: &str = "whsec_first_of_the_rotated";

fn source(settings: &str) -> Setup {
    Setup { more: format!("[sources.turning]\nprofile = \"stripe\"\n{settings}"), ..Setup::silent() }
}

/// A relay whose source `turning` has one secret, in a file of the relay's own.
async fn with_file() -> (Relay, crate::support::Transform) {
    let (transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    relay.setup = source("secrets_file = \"turning.toml\"");
    std::fs::write(relay.file("turning.toml"), format!("[[secret]]\nname = \"first\"\nvalue = \"{FIRST}\"\n")).unwrap();
    relay.restart().await;
    (relay, transform)
}

async fn notify(relay: &Relay, secret: &str, id: &str) -> Reply {
    let event = stripe::paid(id, AT, 1000);
    let sealed = seal_with("stripe", secret, jiff::Timestamp::now().as_second(), event.to_string().as_bytes());
    relay.post("turning", &sealed.headers, sealed.body).await
}

async fn turning(relay: &Relay) -> Value {
    let sources = relay.sources().await;
    sources.as_array().unwrap().iter().find(|source| source["name"] == "turning").unwrap().clone()
}

/// The secret that a rotation printed: all of stdout.
#[track_caller]
fn printed(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let secret = ended.stdout.strip_suffix('\n').unwrap();
    assert!(secret.len() >= 32 && !secret.contains(char::is_whitespace), "{secret:?}");
    assert!(!ended.stderr.contains(secret), "printed once: {ended:?}");
    secret.to_owned()
}

#[tokio::test]
async fn a_secret_verifies_in_its_time_only_and_the_integrator_sees_which_one_does() {
    let secrets = r#"secrets = [
        { name = "old", value = "whsec_turning_old", expires_at = "2020-01-01T00:00:00Z" },
        { name = "next", value = "whsec_turning_next", not_before = "2099-01-01T00:00:00Z" },
        { name = "going", value = "whsec_turning_going", expires_at = "2099-01-01T00:00:00Z" },
        "whsec_turning_unnamed",
    ]"#;
    let (_transform, relay) = start(source(secrets)).await;
    for (secret, fate) in [("old", "an expired"), ("next", "a not yet valid")] {
        let reply = notify(&relay, &format!("whsec_turning_{secret}"), "pi_1").await;
        assert_eq!(reply.problem(401), "no or wrong credentials", "the sender is not told why");
        relay.program.logged(&["notification refused", &format!("{fate} secret vouched: {secret}")]).await;
    }
    notify(&relay, "whsec_turning_unknown", "pi_1").await.problem(401);
    notify(&relay, "whsec_turning_unnamed", "pi_2").await.expect(200);
    relay.program.logged(&["notification verified ", "DEBUG", "secret=\"secret-4\""]).await;
    notify(&relay, "whsec_turning_going", "pi_3").await.expect(200);
    notify(&relay, "whsec_turning_going", "pi_4").await.expect(200);
    relay.program.logged(&["verified by an older secret", "INFO", "secret=\"going\""]).await;

    let seen = turning(&relay).await;
    assert_eq!(seen["profile"], "stripe");
    assert_eq!(seen["enabled"], true);
    assert_eq!(seen["proofs"], json!(["signature"]));
    let secrets = seen["secrets"].as_array().unwrap();
    let counted: Vec<_> = secrets.iter().map(|one| (one["name"].as_str().unwrap(), one["verified"].as_i64())).collect();
    assert_eq!(counted, [("old", Some(0)), ("next", Some(0)), ("going", Some(2)), ("secret-4", Some(1))]);
    assert_eq!(secrets[0]["expiresAt"], "2020-01-01T00:00:00Z");
    assert_eq!(secrets[1]["notBefore"], "2099-01-01T00:00:00Z");
    for (secret, verified) in secrets.iter().zip([false, false, true, true]) {
        assert_eq!(secret["lastVerifiedAt"].is_string(), verified, "{secret}");
    }
    assert!(!seen.to_string().contains("whsec_"), "{seen}");
    relay.send(relay.request(reqwest::Method::GET, "/sources")).await.problem(401);

    let metrics = relay.request(reqwest::Method::GET, "/metrics");
    let metrics = relay.send(metrics.bearer_auth(INTEGRATOR_TOKEN)).await.expect(200).text;
    for line in ["old\"} 0", "going\"} 2", "secret-4\"} 1"] {
        let line = format!("transform_relay_secret_verified_total{{source=\"turning\",secret=\"{line}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n") && !metrics.contains("whsec_"), "{metrics}");
    assert!(metrics.contains("# TYPE transform_relay_findings gauge\n"), "{metrics}");
    relay.send(relay.request(reqwest::Method::GET, "/metrics")).await.problem(401);
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    std::fs::write(folder.path().join("good.toml"), "[[secret]]\nname = \"b\"\nvalue = \"whsec_b\"\n").unwrap();
    std::fs::write(folder.path().join("bad.toml"), "[[secret]]\nname = \"b\"\nvalue = \"\"\n").unwrap();
    let six = (0..6).map(|n| format!("\"s{n}\"")).collect::<Vec<_>>().join(",");
    for (settings, key, reason) in [
        (format!("secrets = [{six}]"), "sources.x.secrets", "1 to 5"),
        ("secrets = []".into(), "sources.x.secrets", "1 to 5"),
        (r#"secrets = [{ name = "a" }]"#.into(), "sources.x.secrets[0]", "one of value, env and file"),
        (r#"secrets = [{ value = "a", env = "B" }]"#.into(), "sources.x.secrets[0]", "one of value, env and file"),
        (r#"secrets = [{ value = "a", name = "" }]"#.into(), "sources.x.secrets[0].name", "1 to 64"),
        (r#"secrets = [{ value = "a", name = "n" }, { value = "b", name = "n" }]"#.into(), "secrets[1].name", "\"n\""),
        (r#"secrets = [{ value = "a", name = "secret-2" }, "b"]"#.into(), "secrets[1].name", "another"),
        (r#"secrets = [{ value = "a", expires_at = "soon" }]"#.into(), "secrets[0].expires_at", "must be a time"),
        (r#"secrets = [{ value = "a", not_before = "2026-01-01" }]"#.into(), "secrets[0].not_before", "must be a time"),
        (
            r#"secrets = [{ value = "a", not_before = "2026-01-02T00:00:00Z", expires_at = 2026-01-01T00:00:00Z }]"#
                .into(),
            "sources.x.secrets[0].expires_at",
            "after not_before",
        ),
        (
            "secrets_file = \"none.toml\"".into(),
            "sources.x.secrets_file",
            "is not there; `transform-relay secret rotate x",
        ),
        ("secrets_file = \"bad.toml\"".into(), "sources.x.secrets_file", "is empty"),
        (
            r#"secrets = [{ value = "a", name = "b" }]
            secrets_file = "good.toml""#
                .into(),
            "sources.x.secrets_file",
            "another",
        ),
        (
            r#"secrets = ["a","b","c","d","e"]
            secrets_file = "good.toml""#
                .into(),
            "sources.x.secrets",
            "1 to 5",
        ),
    ] {
        std::fs::write(&file, format!("[sources.x]\nprofile = \"stripe\"\n{settings}\n")).unwrap();
        let ended = run(&["check", "--config", file.to_str().unwrap()], &[]).await;
        assert_eq!(ended.code, Some(64), "{settings}: {ended:?}");
        let line = ended.stderr.lines().find(|line| line.contains(key)).unwrap_or_default();
        assert!(line.contains(reason), "{settings}: {reason:?} in {:?}", ended.stderr);
    }
}

#[tokio::test]
async fn a_rotation_is_printed_once_written_and_taken_up_and_the_old_secret_holds_for_the_overlap() {
    let (relay, _transform) = with_file().await;
    std::fs::set_permissions(relay.file("turning.toml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    notify(&relay, FIRST, "pi_1").await.expect(200);
    let ended = relay.rotate(&["turning", "--overlap", "6h", "--name", "second"]).await;
    let second = printed(&ended);
    assert!(ended.stderr.contains("taken it up") && ended.stderr.contains("\"first\" verifies until"), "{ended:?}");
    notify(&relay, FIRST, "pi_2").await.expect(200);
    notify(&relay, &second, "pi_3").await.expect(200);
    let mode = std::fs::metadata(relay.file("turning.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "as it was");
    let seen = turning(&relay).await;
    let [first, newest] = seen["secrets"].as_array().unwrap().as_slice() else { panic!("{seen}") };
    assert_eq!((&first["name"], &first["verified"]), (&json!("first"), &json!(2)), "counts outlive a reload");
    assert_eq!((&newest["name"], &newest["verified"]), (&json!("second"), &json!(1)));
    let end: jiff::Timestamp = first["expiresAt"].as_str().unwrap().parse().unwrap();
    assert!(end > jiff::Timestamp::now() && newest["expiresAt"].is_null());

    let third = printed(&relay.rotate(&["turning", "--overlap", "0"]).await);
    notify(&relay, FIRST, "pi_4").await.problem(401);
    notify(&relay, &second, "pi_4").await.problem(401);
    relay.program.logged(&["an expired secret vouched: second"]).await;
    notify(&relay, &third, "pi_4").await.expect(200);
    assert!(!relay.program.log().contains(&third), "never in the log");
    for overlap in ["2h", "1", "", "-1h"] {
        assert_eq!(relay.rotate(&["turning", "--overlap", overlap]).await.code, Some(64), "{overlap:?}");
    }
}

/// The very first secret: there is no file yet, and so no relay that could start.
#[tokio::test]
async fn a_rotation_without_a_relay_is_for_the_next_one() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    let reload = relay.reload().await;
    assert_eq!(reload.code, Some(69), "{reload:?}");
    assert!(reload.stderr.contains("no relay runs") && reload.stderr.contains("`transform-relay serve`"), "{reload:?}");
    relay.setup = source("secrets_file = \"turning.toml\"");
    relay.reload().await;
    let ended = relay.rotate(&["turning", "--overlap", "1h"]).await;
    assert!(ended.stderr.contains("no relay runs"), "{ended:?}");
    relay.restart().await;
    notify(&relay, &printed(&ended), "pi_1").await.expect(200);
    relay.kill().await;
    let killed = relay.rotate(&["turning", "--overlap", "1h", "--name", "mine"]).await;
    assert!(killed.stderr.contains("no relay runs"), "a dead relay's socket is nobody: {killed:?}");
    let store = relay.file("relay.db");
    assert!(killed.stderr.contains(store.to_str().unwrap()), "and says on which store: {killed:?}");
    // No relay is there to refuse such a name, and with it the next relay would not start.
    let before = std::fs::read(relay.file("turning.toml")).unwrap();
    for name in ["mine", "", "two\nlines"] {
        let refused = relay.rotate(&["turning", "--overlap", "1h", "--name", name]).await;
        assert!(refused.code == Some(64) && refused.stderr.contains("nothing was changed"), "{name:?}: {refused:?}");
        assert_eq!(std::fs::read(relay.file("turning.toml")).unwrap(), before, "{name:?}");
    }
    relay.restart().await;
    notify(&relay, &printed(&killed), "pi_2").await.expect(200);
}

#[tokio::test]
async fn a_secret_that_the_psp_made_comes_by_stdin() {
    let (relay, _transform) = with_file().await;
    let given = "whsec_made_by_the_psp";
    std::fs::write(relay.file("given"), format!("{given}\n")).unwrap();
    let (file, from) = (relay.file("relay.toml"), format!("exec <{}", relay.file("given").display()));
    let arguments =
        ["secret", "rotate", "--config", file.to_str().unwrap(), "turning", "--overlap", "1h", "--from-stdin"];
    let ended = run_after(&from, &arguments, &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    assert!(!ended.stderr.contains(given), "{ended:?}");
    notify(&relay, given, "pi_1").await.expect(200);
    let before = std::fs::read(relay.file("turning.toml")).unwrap();
    let again = run_after(&from, &arguments, &[]).await;
    assert!(again.code == Some(64) && again.stderr.contains("already"), "{again:?}");
    let empty = relay.rotate(&["turning", "--overlap", "1h", "--from-stdin"]).await;
    assert!(empty.code == Some(64) && empty.stderr.contains("must not be empty"), "{empty:?}");
    assert_eq!(std::fs::read(relay.file("turning.toml")).unwrap(), before);
}

/// A secret that was made here would be of no use at a PSP that makes its own, and the old one would end.
#[tokio::test]
async fn a_secret_that_the_psp_makes_is_not_made_here_by_accident() {
    let (relay, _transform) = with_file().await;
    let before = std::fs::read(relay.file("turning.toml")).unwrap();
    let file = relay.file("relay.toml");
    let arguments = ["secret", "rotate", "--config", file.to_str().unwrap(), "turning", "--overlap", "6h"];
    let refused = run(&arguments, &[]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(64), ""), "{refused:?}");
    for part in
        ["sources.turning: Stripe makes the secret itself", "--from-stdin", "--made-here", "nothing was changed"]
    {
        assert!(refused.stderr.contains(part), "{part} in {refused:?}");
    }
    assert_eq!(std::fs::read(relay.file("turning.toml")).unwrap(), before);
    notify(&relay, FIRST, "pi_1").await.expect(200);
}

#[tokio::test]
async fn a_new_secret_has_the_form_that_the_profile_takes() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    for (profile, form) in [("adyen", "hex"), ("standard-webhooks", "whsec_"), ("digital-river", "text")] {
        relay.setup.more = format!("[sources.turning]\nprofile = \"{profile}\"\nsecrets_file = \"{profile}.toml\"\n");
        relay.reload().await;
        let secret = printed(&relay.rotate(&["turning", "--overlap", "0"]).await);
        match form {
            "hex" => assert!(secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit()), "{secret}"),
            "whsec_" => assert!(secret.starts_with("whsec_"), "{secret}"),
            _ => assert_eq!(secret.len(), 43, "{secret}"),
        }
        let file = relay.file("relay.toml");
        let check = run(&["check", "--config", file.to_str().unwrap()], &relay.setup.environment()).await;
        assert_eq!(check.code, Some(0), "{profile}: {check:?}");
    }
}

#[tokio::test]
async fn a_rotation_that_cannot_be_changes_nothing_and_says_what_to_do() {
    let (mut relay, _transform) = with_file().await;
    let nowhere = relay.rotate(&["stripe-main", "--overlap", "1h"]).await;
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (Some(64), ""), "{nowhere:?}");
    assert!(nowhere.stderr.contains("sources.stripe-main.secrets_file: is needed: add secrets_file ="), "{nowhere:?}");
    let unknown = relay.rotate(&["unknown", "--overlap", "1h"]).await;
    assert!(unknown.code == Some(64) && unknown.stderr.contains("no such source"), "{unknown:?}");

    let before = std::fs::read(relay.file("turning.toml")).unwrap();
    // The relay would refuse the configuration because of another mistake.
    relay.setup.more.push_str("\n[sources.wrong]\nprofile = \"unheard-of\"\nsecrets = [\"a\"]\n");
    let reload = relay.reload().await;
    assert_eq!(reload.code, Some(64), "{reload:?}");
    let refused = relay.rotate(&["turning", "--overlap", "0"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(64), ""), "{refused:?}");
    for part in ["sources.wrong.profile", "the old configuration stays in force", "nothing was changed"] {
        assert!(refused.stderr.contains(part), "{refused:?}");
    }
    assert_eq!(std::fs::read(relay.file("turning.toml")).unwrap().len(), before.len() + HEADER.len(), "put back");
    notify(&relay, FIRST, "pi_1").await.expect(200);
}

/// The beginning of a file that the relay has written.
const HEADER: &str = "# Written by transform-relay: `transform-relay secret rotate`.\n\n";

/// A copy of the configuration names the same store, and so the same relay, but has its own secrets_file beside it.
#[tokio::test]
async fn a_secret_that_the_relay_did_not_take_up_is_not_said_to_be_in_force() {
    let (relay, _transform) = with_file().await;
    let copy = tempfile::tempdir().unwrap();
    for name in ["relay.toml", "turning.toml"] {
        std::fs::copy(relay.file(name), copy.path().join(name)).unwrap();
    }
    let file = copy.path().join("relay.toml");
    let arguments =
        ["secret", "rotate", "--config", file.to_str().unwrap(), "turning", "--made-here", "--overlap", "0"];
    let elsewhere = run(&[&arguments[..], &["--name", "lost"]].concat(), &[]).await;
    assert_eq!((elsewhere.code, elsewhere.stdout.as_str()), (Some(64), ""), "{elsewhere:?}");
    for part in ["another configuration", "\"lost\"", "nothing was changed"] {
        assert!(elsewhere.stderr.contains(part), "{part} in {elsewhere:?}");
    }
    let text = std::fs::read_to_string(copy.path().join("turning.toml")).unwrap();
    assert!(text.contains(FIRST) && !text.contains("lost") && !text.contains("expires_at"), "put back");
    notify(&relay, FIRST, "pi_1").await.expect(200);
}

/// A secret that was planned for later would be lost silently.
#[tokio::test]
async fn a_rotation_does_not_lose_a_secret_that_is_planned_for_later() {
    let (relay, _transform) = with_file().await;
    let file = relay.file("turning.toml");
    let mut planned = std::fs::read_to_string(&file).unwrap();
    planned
        .push_str("[[secret]]\nname = \"planned\"\nvalue = \"whsec_planned\"\nnot_before = \"2099-01-01T00:00:00Z\"\n");
    std::fs::write(&file, &planned).unwrap();
    for overlap in ["0", "24h"] {
        let refused = relay.rotate(&["turning", "--overlap", overlap]).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(64), ""), "{refused:?}");
        for part in ["\"planned\" is planned for later", "2099-01-01T00:00:00Z", "nothing was changed"] {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), planned);
    }
}

#[tokio::test]
async fn no_rotation_leaves_more_than_five_secrets() {
    let (relay, _transform) = with_file().await;
    for n in 1..=4 {
        printed(&relay.rotate(&["turning", "--overlap", "24h", "--name", &format!("n{n}")]).await);
    }
    let before = std::fs::read(relay.file("turning.toml")).unwrap();
    let sixth = relay.rotate(&["turning", "--overlap", "24h"]).await;
    assert!(sixth.code == Some(64) && sixth.stderr.contains("5 secrets hold already"), "{sixth:?}");
    assert_eq!(std::fs::read(relay.file("turning.toml")).unwrap(), before);
    let at_once = printed(&relay.rotate(&["turning", "--overlap", "0"]).await);
    notify(&relay, &at_once, "pi_1").await.expect(200);
    notify(&relay, FIRST, "pi_2").await.problem(401);
}

/// The PSP signs with the newest secret that it knows. The integrator rotates, reloads and hangs up meanwhile.
#[tokio::test]
async fn rotating_and_reloading_under_load_drops_no_request() {
    let (relay, _transform) = with_file().await;
    relay.register("payment", "tx-1", &payment("pi_0_0", "10")).await;
    let (secret, done, sent) = (RefCell::new(FIRST.to_owned()), Cell::new(false), Cell::new(0_i64));
    let sender = async |sender: u32| {
        let mut n = 0;
        while !done.get() {
            let with = secret.borrow().clone();
            let reply = notify(&relay, &with, &format!("pi_{sender}_{n}")).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            sent.set(sent.get() + 1);
            n += 1;
        }
    };
    let operator = async {
        for round in 0..4 {
            let new = printed(&relay.rotate(&["turning", "--overlap", "1h", "--name", &format!("r{round}")]).await);
            *secret.borrow_mut() = new;
            let reload = relay.reload().await;
            assert_eq!(reload.code, Some(0), "{reload:?}");
            relay.program.signal("HUP");
        }
        done.set(true);
    };
    tokio::join!(sender(0), sender(1), sender(2), sender(3), sender(4), sender(5), operator);
    assert!(sent.get() > 0);
    assert_eq!(relay.rows().notifications, sent.get(), "nothing is lost");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    let seen = turning(&relay).await;
    let verified: i64 = seen["secrets"].as_array().unwrap().iter().map(|one| one["verified"].as_i64().unwrap()).sum();
    assert_eq!(verified, sent.get());
}
