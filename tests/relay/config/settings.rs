//! Configuration: variables of the environment override the file, and every mistake is reported with its key.

use std::path::Path;

use crate::support::program::{Ended, run};
use crate::support::{Setup, payment, start};

/// `check` of a file with this text.
async fn check(text: &str, environment: &[(&str, &str)]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, text).unwrap();
    let environment: Vec<_> = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    run(&["check", "--config", file.to_str().unwrap()], &environment).await
}

/// Checks that a file is refused with exactly these lines, each a key and a part of its reason.
async fn refused(text: &str, expected: &[(&str, &str)]) {
    let ended = check(text, &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{text}\n{ended:?}");
    for (key, part) in expected {
        let found = ended.stderr.lines().any(|line| line.starts_with(&format!("{key}: ")) && line.contains(part));
        assert!(found, "{key}: … {part} in {}", ended.stderr);
    }
    assert_eq!(ended.stderr.lines().count(), expected.len(), "{}", ended.stderr);
}

const SOURCE: &str = "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"whsec_x\"]\n";

#[tokio::test]
async fn every_mistake_is_found_by_its_key() {
    refused("[server]\nlisten = \"here\"\n", &[("server.listen", "port")]).await;
    refused("[server]\nmax_body = \"big\"\n", &[("server.max_body", "a size such as")]).await;
    refused("[server]\nmax_body = \"2GiB\"\n", &[("server.max_body", "from 1 byte to 1.0 GiB")]).await;
    let room = |size: &str| format!("[store.keep]\ndead_letters_size = \"{size}\"\n");
    for size in ["0", "2TiB"] {
        refused(&room(size), &[("store.keep.dead_letters_size", "from 1 byte to 1.0 TiB")]).await;
    }
    assert_eq!(check(&room("2GiB"), &[]).await.code, Some(0), "more is kept than is held in memory");
    refused("[server]\ncolour = 1\n", &[("server.colour", "unknown key")]).await;
    refused("[colour]\nx = 1\n", &[("colour", "unknown key")]).await;
    refused("[debounce]\nquiet = \"10s\"\n", &[("debounce.max_wait", "debounce.quiet")]).await;
    refused("[debounce]\nquiet = \"soon\"\n", &[("debounce.quiet", "number with a unit")]).await;
    refused("[transform]\nallowed_hosts = [\"https://x.example\"]\n", &[("transform.allowed_hosts[0]", "host")]).await;
    refused("[transform]\nwebhook_target = \"https://x.example/\"\n", &[("transform.webhook_target", "x.example")])
        .await;
    refused("[transform]\nconcurrency = 0\n", &[("transform.concurrency", "1 to 1024")]).await;
    refused("[transform]\nfailed_as = \"joke\"\n", &[("transform.failed_as", "record")]).await;
    refused("[certificates]\ntimeout = \"0s\"\n", &[("certificates.timeout", "more than 0")]).await;
    refused("[certificates]\nroots = \"/nowhere/roots.pem\"\n", &[("certificates.roots", "/nowhere/roots.pem")]).await;
    refused("[certificates]\nroots = \"Cargo.toml\"\n", &[("certificates.roots", "no certificate")]).await;
    refused("[transform.retry]\nfirst = \"0s\"\n", &[("transform.retry.first", "more than 0")]).await;
    refused("[transform.breaker]\nmax = \"1ms\"\n", &[("transform.breaker.max", "transform.breaker.first")]).await;
    refused("[transform.breaker]\nfailures = 0\n", &[("transform.breaker.failures", "from 1")]).await;
    refused("[server]\nmax_buffered = \"1KiB\"\n", &[("server.max_buffered", "server.max_body")]).await;
    refused("[server]\nwrite_timeout = 30\n", &[("server.write_timeout", "must be a number with a unit")]).await;
    refused("[server]\nwrite_timeout = []\n", &[("server.write_timeout", "must be a text in quotes")]).await;
    refused("[store]\nmust_exist = \"\"\n", &[("store.must_exist", "must be true or false")]).await;
    refused("[monitor]\ntokens = \"x\"\n", &[("monitor.tokens", "must be a list of secrets: [\"text\"], [{ env")])
        .await;
    refused("[store.keep]\nhistory = \"0s\"\n", &[("store.keep.history", "more than 0")]).await;
    refused("[store.parked]\nper_source = \"many\"\n", &[("store.parked.per_source", "from 1")]).await;
    refused("[transform.retry]\nmax = \"1ms\"\n", &[("transform.retry.max", "transform.retry.first")]).await;
    let missing = "[integrator]\ntokens = [\"a\", { env = \"NOT_SET_ANYWHERE\" }]\n";
    refused(missing, &[("integrator.tokens[1]", "NOT_SET_ANYWHERE")]).await;
    let missing = "[integrator]\ntokens = [{ file = \"/nowhere/token\" }]\n";
    refused(missing, &[("integrator.tokens[0]", "/nowhere/token")]).await;
    refused(&SOURCE.replace("\"stripe\"", "\"strype\""), &[("sources.one.profile", "stripe")]).await;
    // It is unknown whether an unknown profile needs secrets.
    refused("[sources.one]\nprofile = \"strype\"\n", &[("sources.one.profile", "stripe")]).await;
    refused("[sources.one]\nprofile = \"stripe\"\n", &[("sources.one.secrets", "1 to 5")]).await;
    refused(&format!("{SOURCE}secret = \"x\"\n"), &[("sources.one.secret", "unknown key")]).await;
    refused(&format!("{SOURCE}events = [\"payment.made\"]\n"), &[("sources.one.events[0]", "payment.made")]).await;
    refused(&format!("{SOURCE}disabled_answer = 200\n"), &[("sources.one.disabled_answer", "404 or 503")]).await;
    let adyen = SOURCE.replace("stripe", "adyen");
    refused(&adyen, &[("sources.one.secrets[0]", "hexadecimal")]).await;
    for other in ["integrator", "transform"] {
        let shared = format!("[monitor]\ntokens = [\"m\", \"shared\"]\n[{other}]\ntokens = [\"shared\"]\n");
        let reason = format!("is a token of {other}.tokens too");
        refused(&shared, &[("monitor.tokens[1]", &reason)]).await;
    }
    let fetch =
        SOURCE.replace("stripe", "mollie") + "fetch = { token = \"t\", max_hints = 10, max_hints_per_address = 11 }\n";
    refused(&fetch, &[("sources.one.fetch.max_hints_per_address", "max_hints, 10")]).await;
    refused("[profiles]\ndir = \"nowhere\"\n", &[("profiles.dir", "nowhere")]).await;
}

#[tokio::test]
async fn all_mistakes_are_told_together() {
    let text =
        format!("[server]\nlisten = \"x\"\ncolour = 1\n[debounce]\nquiet = \"1m\"\n{SOURCE}headers = {{ A = \"\" }}\n");
    let expected = [
        ("server.listen", "port"),
        ("server.colour", "unknown key"),
        ("debounce.max_wait", "below"),
        ("sources.one.headers.A", "empty"),
    ];
    refused(&text, &expected).await;
}

#[tokio::test]
async fn a_file_that_is_no_toml_or_not_there_is_named() {
    let ended = check("[server\n", &[]).await;
    assert_eq!(ended.code, Some(64));
    assert!(ended.stderr.contains("relay.toml"), "{}", ended.stderr);
    for command in ["check", "serve"] {
        let ended = run(&[command, "--config", "/nowhere/relay.toml"], &[]).await;
        assert_eq!(ended.code, Some(64));
        assert!(ended.stderr.contains("/nowhere/relay.toml"), "{}", ended.stderr);
    }
}

/// `serve` refuses the same as `check`, and logs the reason.
#[tokio::test]
async fn serve_does_not_start_on_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let text =
        format!("[store]\npath = \"{}\"\n[debounce]\nquiet = \"9s\"\n", folder.path().join("relay.db").display());
    std::fs::write(&file, text).unwrap();
    let ended = run(&["serve", "--config", file.to_str().unwrap()], &[]).await;
    assert_eq!(ended.code, Some(64));
    assert!(ended.stderr.contains("debounce.max_wait"), "{}", ended.stderr);
    assert!(!folder.path().join("relay.db").exists());
}

#[tokio::test]
async fn the_environment_is_above_the_file() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n[sources.media]\nprofile = \"frisbii-media\"\nsecrets = [\"a\"]\n";
    let environment = [
        ("RELAY_SERVER__LISTEN", "127.0.0.1:4711"),
        ("RELAY_DEBOUNCE__QUIET", "123ms"),
        ("RELAY_TRANSFORM__RETRY__GIVE_UP_AFTER", "48h"),
        ("RELAY_TRANSFORM__ALLOWED_HOSTS", "one.example, two.example:8443"),
        ("RELAY_TRANSFORM__TOKENS", "t1,t2,t3"),
        ("RELAY_TRANSFORM__CONCURRENCY", "7"),
        ("RELAY_SOURCES__MEDIA__SECRETS", "b,c"),
        // This is not a setting, but a variable that a secret may refer to.
        ("RELAY_INTEGRATOR_TOKEN", "x"),
    ];
    let ended = check(text, &environment).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["127.0.0.1:4711", "123ms", "48h", "one.example, two.example:8443", "3 bearer", "  7", "2 secret(s)"] {
        assert!(ended.stdout.contains(part), "{part} in {}", ended.stdout);
    }
    let unknown = check(text, &[("RELAY_SERVER__COLOUR", "red")]).await;
    assert_eq!(unknown.code, Some(64));
    assert!(unknown.stderr.starts_with("server.colour: unknown key"), "{}", unknown.stderr);
}

/// The message about a mistake never repeats a secret beside it.
#[tokio::test]
async fn a_mistake_does_not_print_the_secret_that_it_is_about() {
    let texts = [
        "[sources.one]\nprofile = \"adyen\"\nsecrets = [\"sesame\"]\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = \"sesame\"\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [[\"sesame\"]]\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"x\"]\nheaders = \"sesame\"\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"x\"]\nbasic = \"sesame\"\n",
        "[integrator]\ntokens = \"sesame\"\n",
        "integrator = \"sesame\"\n",
        "[sources]\none = \"sesame\"\n",
        "[server]\nlisten = [\"sesame\"]\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"x\"]\ntolerance = \"sesame\"\n",
        "[server]\nmax_body = \"sesame\"\n",
        "[integrator]\ntokens = [{ text = \"sesame\" }]\n",
        "[transform]\nbasic = { username = \"u\", password = [\"sesame\"] }\n",
        "[integrator]\ntokens = [\"sesame]\n",
        "[integrator]\ntokens = [{ env = [\"sesame\"] }]\n",
        "[integrator]\ntokens = [{ env = \"HOME\", file = \"sesame\" }]\n",
        "[integrator]\ntokens = [\"x\", \"\"\"sesame\n",
        "[integrator]\ntokens = [sesame]\n",
        "[integrator]\ntokens = []\ntokens = [\"sesame\"]\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"sesame\", 5]\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"sesame\", { fiel = \"sesame\" }]\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"x\"]\nsecret = \"sesame\"\n",
        "[sources.one]\nprofile = \"standard-webhooks\"\nsecrets = [\"whsec_sesame?\"]\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [{ file = \"FOLDER/no-utf-8\" }]\n",
        "[sources.one]\nprofile = \"adyen\"\nsecrets = [{ file = \"FOLDER/text\" }, { env = \"SESAME\" }]\n",
        "[transform]\nwebhook_target = \"https://user:sesame@x.example/\"\nallowed_hosts = [\"x.example\"]\n",
    ];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no-utf-8"), b"sesame\xff").unwrap();
    std::fs::write(folder.path().join("text"), "sesame\n").unwrap();
    let mut printed = Vec::new();
    for text in texts {
        let text = &text.replace("FOLDER", folder.path().to_str().unwrap());
        let ended = check(text, &[("SESAME", "sesame")]).await;
        assert_eq!(ended.code, Some(64), "{text}\n{ended:?}");
        if format!("{}{}", ended.stdout, ended.stderr).contains("sesame") {
            printed.push(format!("{text}→ {}", ended.stderr));
        }
    }
    assert!(printed.is_empty(), "{}", printed.join("\n"));
}

#[tokio::test]
async fn a_mistake_in_the_environment_does_not_print_the_secret_that_it_is_about() {
    let text = "[sources.one]\nprofile = \"adyen\"\nsecrets = [\"x\"]\n";
    for name in [
        "RELAY_SOURCES__ONE__SECRETS",
        "RELAY_SOURCES__ONE__SECRET",
        "RELAY_SOURCES__ONE__HEADERS",
        "RELAY_SOURCES__ONE__BASIC__PASSWORD",
        "RELAY_TRANSFORM__BASIC",
        "RELAY_TRANSFORM__BASIC__PASSWORD",
        "RELAY_INTEGRATOR__TOKEN",
        "RELAY_INTEGRATOR__TOKENS__0",
    ] {
        let ended = check(text, &[(name, "sesame")]).await;
        assert_eq!(ended.code, Some(64), "{name}: {ended:?}");
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("sesame"), "{name}: {}", ended.stderr);
    }
}

/// A source with a profile of the integrator's own, by the generic scheme.
#[tokio::test]
async fn an_integrators_own_profile_is_equal_to_a_built_in_one() {
    let profiles = tempfile::tempdir().unwrap();
    let generic =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/psp/profiles/standard-webhooks.toml"));
    let own = generic.unwrap().replace("name = \"standard-webhooks\"", "name = \"acme\"");
    let rule = r#"
[[notification.event]]
type = "invoice.paid"
kind = "payment"
ids = ["/data/id"]
currency = ["/data/currency"]
status = "Succeeded"
[[notification.event.item]]
id = ["/data/id"]
amount = ["/data/amount"]
"#;
    std::fs::write(profiles.path().join("acme.toml"), own + rule).unwrap();
    let more = format!(
        "[profiles]\ndir = \"{}\"\n[sources.acme]\nprofile = \"acme\"\nsecrets = [\"whsec_c2VjcmV0IG9mIGFjbWU=\"]\n",
        profiles.path().display(),
    );
    let (transform, relay) = start(Setup { more, ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("inv_1", "10")).await;
    let body = r#"{"type": "invoice.paid", "timestamp": "2026-03-02T09:00:00Z",
        "data": {"id": "inv_1", "amount": 1000, "currency": "EUR"}}"#;
    let now = jiff::Timestamp::now().as_second();
    let secret = "whsec_c2VjcmV0IG9mIGFjbWU=";
    let sealed = crate::support::psp::seal_with("standard-webhooks", secret, now, body.as_bytes());
    relay.post("acme", &sealed.headers, sealed.body.clone()).await.expect(200);
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    let others = crate::support::psp::seal_with("standard-webhooks", "whsec_b3RoZXI=", now, body.as_bytes());
    relay.post("acme", &others.headers, others.body).await.problem(401);
}

#[tokio::test]
async fn a_secret_that_everybody_can_read_is_warned_of_by_name() {
    use std::os::unix::fs::PermissionsExt;
    let (_transform, relay) = start(Setup::default()).await;
    let (file, password) = (relay.file("relay.toml"), relay.file("media-password"));
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let arguments = ["check", "--config", file.to_str().unwrap()];
    set(&file, 0o640);
    set(&password, 0o640);
    let quiet = run(&arguments, &relay.setup.environment()).await;
    assert!(!quiet.stdout.contains("not safe"), "{}", quiet.stdout);
    set(&file, 0o644);
    set(&password, 0o604);
    let warned = run(&arguments, &relay.setup.environment()).await;
    let warnings: Vec<_> = warned.stdout.lines().filter(|line| line.starts_with("not safe: ")).collect();
    assert_eq!((warned.code, warnings.len()), (Some(0), 2), "{warnings:?}");
    assert!(warnings[0].contains("sources.media.basic.password") && warnings[0].contains("media-password"));
    assert!(warnings[1].contains("relay.toml"), "{warnings:?}");
}

/// Each credential that a client presents, of whatever kind; credentials that the relay presents to others do not count.
#[tokio::test]
async fn a_short_credential_is_warned_of_by_name() {
    let text = |length: usize| {
        let of = |letter: &str| letter.repeat(length);
        format!(
            r#"[transform]
            allowed_hosts = ["x.example"]
            webhook_target = "https://x.example/hook"
            tokens = ["{}", "{}"]
            [monitor]
            tokens = ["{}"]
            [integrator]
            basic = {{ username = "u", password = "{}" }}
            oauth = [{{ client_id = "c", client_secret = "{}", username = "u", password = "{}" }}]
            [sources.short]
            profile = "mollie"
            secrets = ["mollie-secret"]
            tokens = ["{}"]
            headers = {{ "X-Key" = "{}" }}
            fetch = {{ token = "api" }}
            "#,
            "a".repeat(20),
            of("b"),
            of("c"),
            of("d"),
            of("e"),
            of("f"),
            of("g"),
            of("h"),
        )
    };
    let said = async |length: usize| {
        let ended = check(&text(length), &[]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let lines = ended.stdout.lines().filter(|line| line.contains("fewer than 20 characters"));
        let mut keys: Vec<_> = lines.map(|line| line.split(": ").nth(1).unwrap().to_owned()).collect();
        keys.sort();
        keys
    };
    let expected = [
        "integrator.basic.password",
        "integrator.oauth[0].client_secret",
        "integrator.oauth[0].password",
        "monitor.tokens[0]",
        "sources.short.headers.X-Key",
        "sources.short.tokens[0]",
        "transform.tokens[1]",
    ];
    assert_eq!(said(19).await, expected);
    assert_eq!(said(20).await, [""; 0]);
}

/// A notification of one source could bind a record through the other source.
#[tokio::test]
async fn one_secret_of_two_sources_is_warned_of() {
    let key = "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056";
    let shared = |secret: &str| {
        let text = format!(
            "[sources.one]\nprofile = \"adyen\"\nsecrets = [\"{key}\"]\n\
             [sources.three]\nprofile = \"adyen\"\nsecrets = [\"{}\"]\n\
             [sources.two]\nprofile = \"adyen\"\nsecrets = [\"{}\", \"{secret}\"]\n",
            "02".repeat(32),
            "03".repeat(32)
        );
        async move {
            let ended = check(&text, &[]).await;
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            let lines = ended.stdout.lines().filter(|line| line.contains("both have the same secret"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        }
    };
    assert_eq!(shared(&"04".repeat(32)).await, [""; 0]);
    for spelling in [key.to_owned(), key.to_uppercase()] {
        let said = shared(&spelling).await;
        let [line] = said.as_slice() else { panic!("{said:?}") };
        assert!(line.starts_with("not safe: sources.one.secrets, sources.two.secrets: "), "{line}");
        assert!(!line.contains(key), "{line}");
    }
}

/// Only settings must be text. The relay ignores other variables that are not.
#[tokio::test]
async fn a_variable_that_is_no_text_is_no_setting() {
    use std::os::unix::ffi::OsStrExt;
    let sesame = std::ffi::OsStr::from_bytes(b"sesame\xff");
    let check = |name: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_transform-relay"));
        command.arg("check").env(name, sesame).output().unwrap()
    };
    assert_eq!(check("OTHER").status.code(), Some(0));
    let refused = check("RELAY_TRANSFORM__TIMEOUT");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(64), "{said}");
    assert!(said.contains("RELAY_TRANSFORM__TIMEOUT") && !said.contains("sesame"), "{said}");
}

#[tokio::test]
async fn a_token_in_the_address_of_transform_is_not_printed() {
    let text =
        "[transform]\nallowed_hosts = [\"x.example\"]\nwebhook_target = \"https://x.example/hook?token=sesame\"\n";
    let ended = check(text, &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("https://x.example/hook?***") && !ended.stdout.contains("sesame"),
        "{}",
        ended.stdout
    );
}
