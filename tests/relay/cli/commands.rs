//! Commands beside `serve`: their output and their log.

use std::path::Path;

use transform_relay::psp::profile::catalogue::BUILT_IN;

use crate::support::fixtures;
use crate::support::program::{Ended, Program, run, run_after};
use crate::support::setup::STRIPE_SECRET;
use crate::support::{Setup, Transform, psp, start};

/// The path of a body of the project's own fixtures.
fn fixture(profile: &str, name: &str) -> String {
    fixtures::body(profile, name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn check_prints_what_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::default();
    let file = setup.write(folder.path(), "127.0.0.1:1234");
    let ended = run(&["check", "--config", file.to_str().unwrap()], &setup.environment()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in [
        "listen = \"127.0.0.1:0\"",
        "max_body = \"1MiB\"",
        "relay.db",
        "quiet = \"30ms\"",
        "webhook_target = \"http://127.0.0.1:1234/PSPWebhooks/ExternalIntegration\"",
        "tokens = [\"***\", \"***\"]",
        "basic = { username = \"plenigo_test\", password = { file = ",
        "posts to /notifications/stripe-main",
        "posts to /notifications/media",
        "profile = \"frisbii-media\"",
        "secrets = [\"***\", { env = \"STRIPE_WEBHOOK_SECRET\" }]",
        "\n# valid: 5 sources, ",
    ] {
        assert!(ended.stdout.contains(part), "{part} in {}", ended.stdout);
    }
}

/// A pipe whose reader is gone, and a full disk.
const NO_READER: [&str; 2] = ["exec >/dev/full", "mkfifo p; (: <p)& exec >p; wait $!; rm p"];

#[tokio::test]
async fn an_answer_that_nobody_gets_is_a_failure_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::default();
    let file = setup.write(folder.path(), "127.0.0.1:1234");
    let file = file.to_str().unwrap();
    for nobody in NO_READER {
        let before = format!("cd {}; {nobody}", folder.path().display());
        for asked in [&["check", "--config", file][..], &["profile", "list"], &["profile", "schema"]] {
            let ended = run_after(&before, asked, &setup.environment()).await;
            assert_eq!(ended.code, Some(74), "{asked:?} after {nobody}: {ended:?}");
            assert!(
                ended.stderr.contains("the answer cannot be written to stdout: "),
                "{asked:?} after {nobody}: {ended:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_backup_and_a_demo_are_done_where_nobody_reads_of_it() {
    let (_transform, relay) = start(Setup::silent()).await;
    let (config, environment) = (relay.file("relay.toml"), relay.setup.environment());
    let folder = config.parent().unwrap();
    for (n, nobody) in NO_READER.into_iter().enumerate() {
        let before = format!("cd {}; {nobody}", folder.display());
        let copy = format!("copy-{n}.db");
        let backup = ["backup", &copy, "--config", config.to_str().unwrap()];
        for asked in [&backup[..], &["demo"]] {
            let ended = run_after(&before, asked, &environment).await;
            assert_eq!(ended.code, Some(0), "{asked:?} after {nobody}: {ended:?}");
        }
        assert!(folder.join(copy).exists());
    }
}

#[tokio::test]
async fn the_profiles_are_listed_and_shown() {
    let list = run(&["profile", "list"], &[]).await;
    assert_eq!(list.code, Some(0));
    for name in ["adyen", "digital-river", "frisbii-media", "standard-webhooks", "stripe"] {
        assert!(list.stdout.lines().any(|line| line.starts_with(name)), "{name} in {}", list.stdout);
        let shown = run(&["profile", "show", name], &[]).await;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/psp/profiles/{name}.toml"));
        assert_eq!(shown.stdout.trim_end(), std::fs::read_to_string(source).unwrap().trim_end());
    }
    let unknown = run(&["profile", "show", "nobody"], &[]).await;
    assert_eq!(unknown.code, Some(64));
    assert!(unknown.stderr.contains("nobody"), "{unknown:?}");
}

fn first_line(ended: &Ended) -> &str {
    ended.stdout.lines().next().unwrap_or_default()
}

async fn tested(arguments: &[&str]) -> Ended {
    run(&[&["profile", "test"], arguments].concat(), &[]).await
}

#[tokio::test]
async fn a_notification_is_tested_against_a_profile() {
    let body = fixture("stripe", "auto-4-succeeded.json");
    let plain = tested(&["stripe", "--body", &body]).await;
    assert_eq!(plain.code, Some(0), "{plain:?}");
    for part in ["not verified", "payment_intent.succeeded", "pi_RelayAuto", "Succeeded"] {
        assert!(plain.stdout.contains(part), "{part} in {}", plain.stdout);
    }

    let bytes = std::fs::read(&body).unwrap();
    let signature = psp::seal_with("stripe", STRIPE_SECRET, 1_718_445_646, &bytes).headers[0].1.clone();
    let header = format!("Stripe-Signature: {signature}");
    let good = ["stripe", "--body", &body, "--header", &header, "--secret", STRIPE_SECRET, "--at", "1718445650"];
    let verified = tested(&good).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.stdout.starts_with("verified"), "{}", verified.stdout);

    let other = good.map(|argument| if argument == STRIPE_SECRET { "whsec_other" } else { argument });
    let wrong = tested(&other).await;
    assert_eq!((wrong.code, first_line(&wrong)), (Some(1), "refused: wrong signature"));
    let late = tested(&["stripe", "--body", &body, "--header", &header, "--secret", STRIPE_SECRET]).await;
    assert_eq!(late.code, Some(1));
    assert!(first_line(&late).starts_with("refused: timestamp outside the tolerance: it is "), "{late:?}");
    let bare = tested(&["stripe", "--body", &body, "--secret", STRIPE_SECRET]).await;
    assert_eq!((bare.code, first_line(&bare)), (Some(1), "refused: no signature"));

    let odd = tested(&["stripe", "--body", &fixture("stripe", "refund-unknown-status.json")]).await;
    assert_eq!(odd.code, Some(1), "{odd:?}");
    assert!(odd.stdout.contains("not understood"), "{}", odd.stdout);
    let ignored = tested(&["stripe", "--body", &fixture("stripe", "ignored-customer-created.json")]).await;
    assert_eq!(ignored.code, Some(0));
    assert!(ignored.stdout.contains("ignored    nothing in it concerns a record"), "{}", ignored.stdout);
    let unread = tested(&["stripe", "--body", &fixture("stripe", "thin-of-another-object-ignored.json")]).await;
    assert_eq!(unread.code, Some(0));
    assert!(
        unread
            .stdout
            .contains("ignored    nothing reads it; missing is a rule of form event for the type v1.price.created"),
        "{}",
        unread.stdout
    );
    let missing = tested(&["stripe", "--body", "/nowhere.json"]).await;
    assert_eq!(missing.code, Some(64));
    assert!(missing.stderr.contains("/nowhere.json"), "{missing:?}");
}

/// The output of `profile sign` verifies.
#[tokio::test]
async fn a_notification_is_signed_from_the_command_line() {
    let (_transform, relay) = start(Setup::silent()).await;
    let body = fixture("stripe", "auto-4-succeeded.json");
    let signed = run(&["profile", "sign", "stripe", "--body", &body, "--secret", STRIPE_SECRET], &[]).await;
    assert_eq!(signed.code, Some(0), "{signed:?}");
    let headers: Vec<_> = signed.stdout.lines().filter_map(|line| line.split_once(": ")).collect();
    let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let reply = relay.post("stripe-main", &headers, std::fs::read(&body).unwrap()).await.expect(200);
    assert_eq!(reply.json()["outcome"], "parked");
}

/// All inputs of a signature must be given: a signature over other inputs would look right and be wrong.
#[tokio::test]
async fn what_cannot_be_signed_rightly_is_not_signed() {
    let body = fixture("square", "card.created.json");
    let sign = ["profile", "sign", "square", "--body", &body, "--secret", "key"];
    let url = ["--url", "https://relay.example.com/notifications/square"];
    let bare = run(&sign, &[]).await;
    assert_eq!((bare.code, bare.stdout.as_str()), (Some(64), ""), "{bare:?}");
    assert!(bare.stderr.contains("--url is needed"), "{bare:?}");
    let signed = run(&[&sign[..], &url].concat(), &[]).await;
    let header = signed.stdout.trim();
    let test = ["profile", "test", "square", "--body", &body, "--secret", "key", "--header", header];
    let good = run(&[&test[..], &url].concat(), &[]).await;
    assert!(good.stdout.starts_with("verified"), "{good:?}");
    let bare = run(&test, &[]).await;
    assert!(bare.stdout.contains("url: must be there to be signed; --url gives it"), "{bare:?}");

    let body = fixture("adyen", "token-created.json");
    let sign = ["profile", "sign", "adyen", "--body", &body, "--secret", "ab"];
    let other = run(&sign, &[]).await;
    assert_eq!((other.code, other.stdout.as_str()), (Some(64), ""), "{other:?}");
    assert!(other.stderr.contains("no message of form \"item\"") && other.stderr.contains("token"), "{other:?}");
    let token = run(&[&sign[..], &["--form", "token"]].concat(), &[]).await;
    assert!(token.stdout.starts_with("HmacSignature: "), "{token:?}");
}

/// A relay needs no more than the source on a PSP's page.
#[tokio::test]
async fn the_source_of_every_page_is_a_good_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    for (name, _) in BUILT_IN {
        let page = run(&["profile", "page", name], &[]).await.stdout;
        let source = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        std::fs::write(&file, source.replace("NAME]", "it]").replace("NAME.", "it.")).unwrap();
        // The value is valid as hexadecimal and as Base64.
        let value = "5a5b5c5d5e5f5051".to_owned();
        let upper = name.to_uppercase().replace('-', "_");
        let environment = ["SECRET", "TOKEN"].map(|what| (format!("{upper}_{what}"), value.clone()));
        let checked = run(&["check", "--config", file.to_str().unwrap()], &environment).await;
        assert_eq!(checked.code, Some(0), "{source}{checked:?}");
        assert!(!checked.stdout.contains("not used"), "{checked:?}");
    }
}

#[tokio::test]
async fn help_is_no_mistake_and_a_mistake_is_64() {
    for good in [&["--help"][..], &["--version"], &["serve", "--help"], &["profile", "test", "--help"]] {
        assert_eq!(run(good, &[]).await.code, Some(0), "{good:?}");
    }
    for bad in [&[][..], &["fly"], &["serve", "--colour"], &["profile"], &["profile", "test", "stripe"]] {
        let ended = run(bad, &[]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{bad:?}");
    }
}

#[tokio::test]
async fn serve_without_a_file_starts_and_says_what_to_add() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("default.db");
    let environment = [
        ("RELAY_SERVER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ("RELAY_STORE__PATH".to_owned(), store.to_str().unwrap().to_owned()),
    ];
    let program = Program::start(&["serve"], &environment);
    let listening = program.logged(&["listening address=127.0.0.1:"]).await;
    let address = transform_relay::proof::stand_in::listening(&listening).unwrap();
    assert!(address.port() != 0, "the address that it is bound to: {listening}");
    let rest = format!("version=\"{}\" store={} sources=0 owed=0", env!("CARGO_PKG_VERSION"), store.display());
    assert!(listening.ends_with(&rest), "{rest}: {listening}");
    for hint in ["[sources.NAME]", "transform.allowed_hosts", "transform.tokens", "integrator.tokens"] {
        program.logged(&["to add", hint]).await;
    }
    let url = format!("http://{address}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/api/Payment/tx", "/records/payment/tx"] {
        let nobody = client.get(format!("{url}{path}")).header("Authorization", "Bearer ").send().await.unwrap();
        assert_eq!(nobody.status(), 401, "nothing configured lets nobody in");
    }
    program.signal("TERM");
    assert_eq!(program.ended().await.code, Some(0));
    assert!(store.exists());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = Transform::start();
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::default();
    let file = setup.write(folder.path(), "127.0.0.1:1234");
    let mut environment = setup.environment();
    environment.push(("RELAY_SERVER__LISTEN".to_owned(), taken.address.to_string()));
    let ended = run(&["serve", "--config", file.to_str().unwrap()], &environment).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("server.listen: {} is in use by another program", taken.address)),
        "{}",
        ended.stderr
    );
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let store: Vec<_> = files.filter(|name| name.starts_with("relay.db")).collect();
    assert_eq!(store, Vec::<String>::new(), "no store is made by a start that fails");
}
