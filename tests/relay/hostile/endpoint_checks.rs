//! Endpoint checks as an oracle: they sign any text from anybody. No such text is a notification.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::support::program::run;
use crate::support::{Relay, Reply, Setup, start};

const HEX: &str = "00112233445566778899aabbccddeeff";

fn braintree(more: &str) -> Setup {
    let source = format!(
        "[sources.bt]\nprofile = \"braintree\"\nsecrets = [\"bt-private-key-0001\", \"bt-private-key-0002\"]\n\
         [sources.bt.settings]\npublic-key = \"pub1\"\n{more}"
    );
    Setup { more: source, ..Setup::silent() }
}

async fn asked(relay: &Relay, source: &str, given: &str) -> String {
    let check = relay.request(Method::GET, &format!("/notifications/{source}?bt_challenge={given}"));
    relay.send(check).await.expect(200).text
}

async fn sent_back(relay: &Relay, source: &str, answer: &str, payload: &str) -> Reply {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("bt_signature", answer).append_pair("bt_payload", payload).append_pair("pad", &"x".repeat(50_000));
    let headers = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    relay.post(source, &headers, form.finish()).await
}

/// How many notifications each of the source's secrets is said to have verified.
async fn verified(relay: &Relay, name: &str) -> Vec<Value> {
    let sources = relay.sources().await;
    let source = sources.as_array().unwrap().iter().find(|source| source["name"] == name).unwrap();
    source["secrets"].as_array().unwrap().iter().map(|secret| secret["verified"].clone()).collect()
}

#[tokio::test]
async fn what_an_endpoint_check_signed_is_refused_as_a_notification_and_leaves_nothing() {
    let (_transform, relay) = start(braintree("")).await;
    let before = relay.all_stored();
    for payload in [HEX, &HEX[..20]] {
        let answer = asked(&relay, "bt", payload).await;
        assert!(answer.starts_with("pub1|"), "{answer}");
        let reply = sent_back(&relay, "bt", &answer, payload).await;
        assert_eq!(reply.problem(401), "no or wrong credentials", "not told why");
        sent_back(&relay, "bt", &answer, &format!("{payload}\n")).await.problem(401);
        let wrong = sent_back(&relay, "bt", "pub1|00", payload).await;
        assert_eq!(wrong.text, reply.text, "answered as any other wrong signature");
    }
    relay.program.logged_times(&["notification refused", "source=\"bt\"", "may be an endpoint check"], 4).await;
    assert_eq!(relay.all_stored(), before);
    assert_eq!(verified(&relay, "bt").await, [0, 0]);
    let log = relay.program.log();
    let lines = log.lines().filter(|line| line.contains("notification refused")).count();
    assert_eq!(lines, 6, "one line each:\n{log}");
    relay.still_serves().await;
}

/// The same holds for an operator's own profile, with another status for its PSP.
#[tokio::test]
async fn a_profile_of_ones_own_believes_no_endpoint_check_either() {
    let mut setup = braintree("");
    let folder = tempfile::tempdir().unwrap();
    let profile = fs::read_to_string("src/psp/profiles/braintree.toml").unwrap();
    let own = profile.replace("name = \"braintree\"", "name = \"own\"\nanswer = { unverified = 403 }");
    fs::write(folder.path().join("own.toml"), own).unwrap();
    setup.more = setup.more.replace("profile = \"braintree\"", "profile = \"own\"");
    setup.more.push_str(&format!("[profiles]\ndir = \"{}\"\n", folder.path().display()));
    let (_transform, relay) = start(setup).await;
    let answer = asked(&relay, "bt", HEX).await;
    sent_back(&relay, "bt", &answer, HEX).await.problem(403);
    assert_eq!(relay.rows().notifications, 0);
    assert_eq!(verified(&relay, "bt").await, [0, 0]);
}

/// If two sources share a secret, the endpoint check of one would sign for the other.
#[tokio::test]
async fn a_secret_that_signs_endpoint_checks_belongs_to_no_other_profile() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let sources = |profile: &str, secret: &str| {
        let other = format!("[sources.other]\nprofile = \"{profile}\"\nsecrets = [\"other-key\", \"{secret}\"]\n");
        let braintree = braintree(&other).more;
        if profile == "braintree" {
            format!("{braintree}[sources.other.settings]\npublic-key = \"p\"\n")
        } else {
            braintree
        }
    };
    let set_up = Setup::silent().text(folder.path(), "127.0.0.1:9");
    for (profile, secret, code) in [
        ("stripe", "bt-private-key-0002", 64),
        ("stripe", "bt-private-key-0003", 0),
        ("braintree", "bt-private-key-0002", 0),
    ] {
        fs::write(folder.path().join("media-password"), "password").unwrap();
        fs::write(&file, format!("{set_up}{}", sources(profile, secret))).unwrap();
        let environment = Setup::silent().environment();
        let ended = run(&["check", "--config", file.to_str().unwrap()], &environment).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        if code != 0 {
            let said = ended.stderr.lines().find(|line| line.contains(": sources.other.secrets: ")).unwrap();
            assert!(
                said.contains("sources.bt") && said.contains("\"braintree\"") && !said.contains("private"),
                "{said}"
            );
        }
    }
}

const KEY: &str = "00abababababababababababababababababababababababababababababab2f";

/// A profile with an HMAC whose key has this encoding and prefix. If `signs`, it signs challenges too.
fn own_profile(name: &str, key: &str, prefix: &str, signs: bool) -> String {
    let challenge = format!(
        "[challenge]\nquery = \"c\"\ncharacters = \"hex\"\nlength = [20, 32]\nanswer = [\"signature\"]\n\
         sign = {{ algorithm = \"hmac-sha256\", key = \"{key}\", encoding = \"hex\" }}\n"
    );
    let challenge = if signs { challenge.as_str() } else { "" };
    format!(
        "name = \"{name}\"\ntitle = \"Own\"\namounts = \"minor\"\n{challenge}\
         [[notification]]\nname = \"it\"\ntype = [\"/type\"]\n\
         [[notification.signature]]\nalgorithm = \"hmac-sha256\"\nkey = \"{key}\"\nkey_prefix = \"{prefix}\"\n\
         signed = [\"body\"]\nencoding = \"hex\"\nfound = {{ header = \"sign\" }}\n\
         [[notification.event]]\ntype = \"x\"\nignore = true\n"
    )
}

/// The same key can be written in many encodings. A signature by one of them verifies by all.
#[tokio::test]
async fn a_key_that_signs_endpoint_checks_is_no_other_profiles_in_any_spelling() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("profiles")).unwrap();
    let bytes = hex::decode(KEY).unwrap();
    let (upper, base64) = (KEY.to_uppercase(), STANDARD.encode(&bytes));
    let (prefixed, padded) = (format!("key_{base64}"), format!("{KEY}00"));
    let hashed = hex::encode(Sha1::digest(KEY));
    let (long, short) = (hex::encode([0xAB; 65]), hex::encode(Sha256::digest([0xAB; 65])));
    let other = KEY.replace("2f", "3f");
    let set_up = Setup::silent().text(folder.path(), "127.0.0.1:9");
    fs::write(folder.path().join("media-password"), "password").unwrap();
    let file = folder.path().join("relay.toml");
    for (signing, secret, verifying, other, shared) in [
        ("hex", KEY, "hex", upper.as_str(), true),
        ("hex", &upper, "base64", &base64, true),
        ("hex", KEY, "base64", &prefixed, true),
        ("base64", &base64, "hex", KEY, true),
        ("sha1", KEY, "hex", &hashed, true),
        // To an HMAC these keys are the same, too.
        ("hex", KEY, "hex", &padded, true),
        ("hex", &long, "hex", &short, true),
        ("hex", KEY, "hex", &other, false),
        ("sha1", KEY, "sha1", &upper, false),
    ] {
        let profiles = [("signs", signing, true), ("verifies", verifying, false)];
        for (name, key, signs) in profiles {
            fs::write(folder.path().join(format!("profiles/{name}.toml")), own_profile(name, key, "key_", signs))
                .unwrap();
        }
        let sources = format!(
            "[profiles]\ndir = \"{}\"\n[sources.o]\nprofile = \"signs\"\nsecrets = [\"{secret}\"]\n\
             [sources.v]\nprofile = \"verifies\"\nsecrets = [\"{other}\"]\n",
            folder.path().join("profiles").display()
        );
        fs::write(&file, format!("{set_up}{sources}")).unwrap();
        let ended = run(&["check", "--config", file.to_str().unwrap()], &Setup::silent().environment()).await;
        let told = format!("{signing} {secret} and {verifying} {other}: {ended:?}");
        assert_eq!(ended.code, Some(if shared { 64 } else { 0 }), "{told}");
        let said =
            ended.stderr.lines().any(|line| line.contains(": sources.v.secrets: ") && line.contains("sources.o"));
        assert_eq!(said, shared, "{told}");
        let text = (ended.stdout + &ended.stderr).to_lowercase();
        assert!(!text.contains(&secret.to_lowercase()) && !text.contains(&other.to_lowercase()), "{told}");
    }
}
