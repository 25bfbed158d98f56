//! Configuration: variables of the environment override the file, and every mistake is reported with its key.

use std::path::Path;

use crate::support::program::{Ended, run};
use crate::support::{Setup, payment, start};

/// `check` of a file with this text.
pub(super) async fn check(text: &str, environment: &[(&str, &str)]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, text).unwrap();
    let environment: Vec<_> = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    run(&["check", "--config", file.to_str().unwrap()], &environment).await
}

/// Checks that a file is refused with exactly these lines, each a key and a part of its reason.
pub(super) async fn refused(text: &str, expected: &[(&str, &str)]) {
    let ended = check(text, &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{text}\n{ended:?}");
    for (key, part) in expected {
        let found = ended
            .stderr
            .lines()
            .map(without_origin)
            .any(|line| line.starts_with(&format!("{key}: ")) && line.contains(part));
        assert!(found, "{key}: … {part} in {}", ended.stderr);
    }
    let verdict = ended.stderr.lines().last().unwrap();
    let count = if expected.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", expected.len()) };
    assert!(verdict.starts_with(&format!("refused: {count} in ")) && verdict.ends_with("relay.toml"), "{verdict}");
    assert_eq!(ended.stderr.lines().count(), expected.len() + 1, "{}", ended.stderr);
}

/// A line without the file and the number of the line in it.
fn without_origin(line: &str) -> &str {
    let own = line.split_once("relay.toml:").and_then(|(_, rest)| rest.split_once(": "));
    own.filter(|(number, _)| number.bytes().all(|digit| digit.is_ascii_digit())).map_or(line, |(_, own)| own)
}

pub(super) const SOURCE: &str = "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"whsec_x\"]\n";

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
    refused("[transform]\nallowed_hosts = \"x\"\n", &[("transform.allowed_hosts", "is \"x\", but must be a list")])
        .await;
    let jwt = |text: &str| format!("[transform.jwt]\n{text}\n");
    let needed = [("transform.jwt.jwks_url", "is needed"), ("transform.jwt.audience", "is needed")];
    refused(&jwt("issuer = \"a\""), &needed).await;
    let names = [("transform.jwt.issuer", "must not be empty"), ("transform.jwt.audience", "must not be empty")];
    refused(&jwt("jwks_url = \"https://i.example/keys\"\nissuer = \"\""), &names).await;
    for (url, reason) in [
        ("http://i.example/keys", "is \"http://i.example/keys\", but must be https"),
        ("https://user:pw@i.example/keys", "is \"https://***@i.example/keys\", but must not carry credentials"),
        ("i.example/keys", "is no absolute URL"),
    ] {
        let text = jwt(&format!("jwks_url = \"{url}\"\nissuer = \"a\"\naudience = \"b\""));
        refused(&text, &[("transform.jwt.jwks_url", reason)]).await;
    }
    refused("[fetch]\nrate = 0\n", &[("fetch.rate", "is 0, but must be a number from 1 to 10000")]).await;
    refused("[fetch]\ntoken = \"x\"\n", &[("fetch.token", "unknown key")]).await;
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
        ("RELAY_TRANSFORM__JWT__JWKS_URL", "https://issuer.example/keys?tenant=1"),
        ("RELAY_TRANSFORM__JWT__ISSUER", "https://issuer.example/"),
        ("RELAY_TRANSFORM__JWT__AUDIENCE", "relay"),
        ("RELAY_SOURCES__MEDIA__SECRETS", "b,c"),
        // This is not a setting, but a variable that a secret may refer to.
        ("RELAY_INTEGRATOR_TOKEN", "x"),
    ];
    let ended = check(text, &environment).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in [
        "listen = \"127.0.0.1:4711\"",
        "quiet = \"123ms\"",
        "give_up_after = \"48h\"",
        "allowed_hosts = [\"one.example\", \"two.example:8443\"]",
        "tokens = [\"***\", \"***\", \"***\"]",
        "concurrency = 7",
        "jwks_url = \"https://issuer.example/keys?***\"",
        "issuer = \"https://issuer.example/\"",
        "audience = \"relay\"",
        "secrets = [\"***\", \"***\"]",
    ] {
        assert!(ended.stdout.lines().any(|printed| printed == line), "{line} in {}", ended.stdout);
    }
    let unknown = check(text, &[("RELAY_SERVER__COLOUR", "red")]).await;
    assert_eq!(unknown.code, Some(64));
    assert!(unknown.stderr.starts_with("RELAY_SERVER__COLOUR: server.colour: unknown key\n"), "{}", unknown.stderr);
    assert!(unknown.stderr.ends_with("relay.toml and the environment"), "{}", unknown.stderr);
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
    let unguarded = "# not safe: sources.adyen-main: the PSP signs parts of the body only. ";
    let quiet = run(&arguments, &relay.setup.environment()).await;
    let found: Vec<_> = quiet.stdout.lines().filter(|line| line.starts_with("# not safe: ")).collect();
    assert!(found.len() == 1 && found[0].starts_with(unguarded), "{found:?}");
    set(&file, 0o644);
    set(&password, 0o604);
    let warned = run(&arguments, &relay.setup.environment()).await;
    let warnings =
        warned.stdout.lines().filter(|line| line.starts_with("# not safe: ") && !line.starts_with(unguarded));
    let warnings: Vec<_> = warnings.collect();
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
        let lines = ended.stdout.lines().filter(|line| line.contains("fewer than 20 bytes"));
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
        assert!(line.starts_with("# not safe: sources.one.secrets, sources.two.secrets: "), "{line}");
        assert!(!line.contains(key), "{line}");
    }
}

/// A secret alone does not guard what the PSP does not sign.
#[tokio::test]
async fn a_source_whose_unsigned_parts_nothing_guards_is_warned_of() {
    let said = async |profile: &str, secret: &str, more: &str| {
        let text = format!("[sources.one]\nprofile = \"{profile}\"\nsecrets = [\"{secret}\"]\n{more}\n");
        let ended = check(&text, &[]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let lines = ended.stdout.lines().filter_map(|line| line.strip_prefix("# not safe: sources.one: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let key = "04".repeat(32);
    for (profile, secret, risk) in [
        (
            "adyen",
            key.as_str(),
            "the PSP signs parts of the body only. A stranger who has a notification before the relay",
        ),
        (
            "payone",
            "portal-key-of-20-bytes",
            "the PSP signs no part of the body, and the secret stands in it. A stranger who has one",
        ),
    ] {
        let lines = said(profile, secret, "").await;
        assert!(matches!(&lines[..], [line] if line.starts_with(risk) && line.contains("ip_ranges")), "{lines:?}");
        for guard in [
            "ip_ranges = [\"192.0.2.0/24\"]",
            "basic = { username = \"psp\", password = \"a-password-of-20-bytes\" }",
            "enabled = false",
        ] {
            assert_eq!(said(profile, secret, guard).await, [""; 0], "{profile}: {guard}");
        }
    }
    for (profile, secret) in [("stripe", "whsec_x"), ("quickpay", "key"), ("nets-easy", "a-header-of-20-bytes")] {
        assert_eq!(said(profile, secret, "").await, [""; 0], "{profile}");
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
    assert!(said.ends_with("refused: 1 mistake in the environment\n"), "{said}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_transform-relay"));
    command.args(["check", "--config"]).arg(file.path()).env("RELAY_TRANSFORM__TIMEOUT", sesame);
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(said.ends_with(&format!("in {} and the environment\n", file.path().display())), "{said}");
}

/// A value that is wrong is repeated, so that it can be searched for.
#[tokio::test]
async fn a_mistake_repeats_the_value() {
    let text = r#"
[server]
listen = "everywhere"
max_body = "2GiB"
max_connections = "lots"
body_timeout = "half a minute"
header_timeout = "0s"
trusted_proxies = ["the proxy", "::ffff:10.0.0.0/104"]
forwarded_header = "via"
[store]
path = ":memory:"
[debounce]
quiet = "9s"
max_wait = "8s"
[transform]
webhook_target = "ftp://x.example/hook"
failed_as = "joke"
concurrency = 2000
retry = { first = "7s", max = "6s" }
breaker = { first = "5s", max = "4s" }
[oauth]
token_lifetime = "1500ms"
[fetch]
rate = 70000
max_hints = -3
[sources.one]
profile = "strype"
ip_ranges = ["somewhere"]
disabled_answer = 418
secrets = [
    { value = "x", name = "a\tb", not_before = "2026-02-02T00:00:00Z", expires_at = "2026-01-01T00:00:00Z" },
    { value = "y", expires_at = "soon" },
]
[sources.two]
profile = "mollie"
secrets = ["x"]
public_url = "not a URL"
events = ["payment.made"]
fetch = { token = "t", mode = "often", max_hints_per_address = 7 }
[sources.three]
profile = "mollie"
secrets = ["x"]
fetch = { token = "t", base_url = "http://api.example", timeout = "0s", rate = 0 }
[sources.four]
profile = "checkout-com"
secrets = ["1", "2", "3", "4", "5", "6"]
fetch = { mode = "never" }
"#;
    let expected = [
        ("server.listen", "is \"everywhere\""),
        ("server.max_body", "is \"2GiB\""),
        ("server.max_connections", "is \"lots\""),
        ("server.body_timeout", "is \"half a minute\""),
        ("server.header_timeout", "is \"0s\""),
        ("server.trusted_proxies[0]", "is \"the proxy\""),
        ("server.trusted_proxies[1]", "is \"::ffff:10.0.0.0/104\""),
        ("server.forwarded_header", "is \"via\""),
        ("store.path", "is \":memory:\""),
        ("debounce.max_wait", "is \"8s\", but must not be below debounce.quiet, \"9s\""),
        ("transform.webhook_target", "is \"ftp://x.example/hook\""),
        ("transform.failed_as", "is \"joke\""),
        ("transform.concurrency", "is 2000, but must be a number from 1 to 1024"),
        ("transform.retry.max", "is \"6s\", but must not be below transform.retry.first, \"7s\""),
        ("transform.breaker.max", "is \"4s\", but must not be below transform.breaker.first, \"5s\""),
        ("oauth.token_lifetime", "is \"1500ms\""),
        ("fetch.rate", "is 70000"),
        ("fetch.max_hints", "is -3"),
        ("sources.one.profile", "is \"strype\""),
        ("sources.one.ip_ranges[0]", "is \"somewhere\""),
        ("sources.one.disabled_answer", "is 418"),
        ("sources.one.secrets[0].name", "is \"a\\tb\""),
        ("sources.one.secrets[0].expires_at", "is 2026-01-01T00:00:00Z, but must be after not_before, 2026-02-02"),
        ("sources.one.secrets[1].expires_at", "is \"soon\""),
        ("sources.two.public_url", "is no absolute URL"),
        ("sources.two.events[0]", "is \"payment.made\""),
        ("sources.two.fetch.mode", "is \"often\""),
        ("sources.three.fetch.base_url", "is \"http://api.example\", but must be https"),
        ("sources.three.fetch.timeout", "is \"0s\""),
        ("sources.three.fetch.rate", "is 0"),
        ("sources.four.secrets", "has 6 secrets"),
        ("sources.four.fetch", "the profile checkout-com fetches nothing"),
    ];
    refused(text, &expected).await;
}

/// `serve` goes on with the default, and says so.
#[tokio::test]
async fn a_log_filter_that_is_none_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, "[server]\nlisten = \"x\"\n").unwrap();
    let environment = [("RUST_LOG".to_owned(), "relay=loud=louder".to_owned())];
    let ended = run(&["serve", "--config", file.to_str().unwrap()], &environment).await;
    let lines: Vec<_> = ended.stderr.lines().filter(|line| line.contains("RUST_LOG")).collect();
    let [line] = lines.as_slice() else { panic!("{ended:?}") };
    for part in ["WARN", "relay=loud=louder", "info,actix_server=warn holds"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}
