//! Settings as `check` prints them: a configuration again, without its secrets, and a verdict at the end.

use super::settings::{check, refused};
use crate::support::program::run;

#[tokio::test]
async fn a_token_in_the_address_of_transform_is_not_printed() {
    let text =
        "[transform]\nallowed_hosts = [\"x.example\"]\nwebhook_target = \"https://x.example/hook?token=sesame\"\n";
    let ended = check(text, &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("webhook_target = \"https://x.example/hook?***\"\n") && !ended.stdout.contains("sesame"),
        "{}",
        ended.stdout
    );
}

/// All secrets, in each of the ways in which they are written.
const WITH_SECRETS: &str = r#"
[transform]
allowed_hosts = ["x.example"]
webhook_target = "https://x.example/hook"
tokens = [{ env = "TRANSFORM_TOKEN" }, "SESAME-0"]
basic = { username = "transform", password = "SESAME-1" }
oauth = [{ client_id = "a", client_secret = "SESAME-2", username = "u", password = { env = "PASSWORD" } }]
[integrator]
tokens = ["SESAME-3"]
[monitor]
tokens = [{ file = "FOLDER/secret" }]
[fetch]
rate = 7
max_hints = 40
[sources.stripe]
profile = "stripe"
secrets = [{ value = "SESAME-4", name = "first", expires_at = "2099-01-01T00:00:00Z" }, "SESAME-5", { env = "PASSWORD" }]
secrets_file = "stripe.secrets.toml"
headers = { X-Key = "SESAME-6", "X-Other!" = { env = "PASSWORD" } }
enabled = false
[sources.mollie]
profile = "mollie"
secrets = ["SESAME-7"]
tokens = ["SESAME-8"]
tolerance = "7m"
public_url = "https://relay.example/notifications/mollie"
fetch = { token = "SESAME-9", concurrency = 2 }
[sources.square]
profile = "square"
secrets = ["SESAME-10"]
public_url = "https://relay.example/notifications/square"
"#;

#[tokio::test]
async fn what_check_prints_is_a_configuration_without_the_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("secret"), "sesame-of-a-file\n").unwrap();
    let written = "[[secret]]\nname = \"kept\"\nvalue = \"sesame-kept\"\nexpires_at = \"2098-01-01T00:00:00Z\"\n";
    std::fs::write(at("stripe.secrets.toml"), written).unwrap();
    let environment = [("TRANSFORM_TOKEN", "sesame-of-a-token-that-is-long"), ("PASSWORD", "sesame-of-a-password")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let checked = async |name: &str, text: &str| {
        std::fs::write(at(name), text.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        run(&["check", "--config", &at(name)], &environment).await
    };
    let first = checked("relay.toml", WITH_SECRETS).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(!first.stdout.to_lowercase().contains("sesame"), "{}", first.stdout);
    for line in [
        "max_connections = 4096",
        "tokens = [{ env = \"TRANSFORM_TOKEN\" }, \"***\"]",
        "basic = { username = \"transform\", password = \"***\" }",
        "oauth = [{ client_id = \"a\", client_secret = \"***\", username = \"u\", password = { env = \"PASSWORD\" } }]",
        "secrets = [{ value = \"***\", name = \"first\", expires_at = \"2099-01-01T00:00:00Z\" }, \"***\", { env = \"PASSWORD\" }]",
        "headers = { X-Key = \"***\", \"X-Other!\" = { env = \"PASSWORD\" } }",
        "# secrets_file: \"kept\" until 2098-01-01T00:00:00Z",
        "# tolerance: 5m, as the profile says",
        "base_url = \"https://api.mollie.com\"",
        "mode = \"always\"",
        "concurrency = 2",
        "max_hints_per_address = 10",
    ] {
        assert!(first.stdout.lines().any(|printed| printed == line), "{line} in {}", first.stdout);
    }
    assert!(first.stdout.contains("max_hints = 40\nmax_hints_per_address"), "{}", first.stdout);
    assert!(!first.stdout.contains("# tolerance: 7m"), "{}", first.stdout);
    let verdict = first.stdout.lines().last().unwrap();
    assert!(verdict.starts_with("# valid: 3 sources, ") && verdict.ends_with(" warnings"), "{verdict}");

    // The masks are no secrets: anybody could guess them.
    let masked = checked("masked.toml", &first.stdout).await;
    assert_eq!((masked.code, masked.stdout.as_str()), (Some(64), ""), "{masked:?}");
    assert_eq!(masked.stderr.matches("is \"***\", but must be a secret").count(), 11, "{}", masked.stderr);
    assert!(masked.stderr.contains("refused: 11 mistakes in "), "{}", masked.stderr);
    // With secrets in their places, the same is in force.
    let mut filled = String::new();
    for (number, part) in first.stdout.split("\"***\"").enumerate() {
        let before = if number == 0 { String::new() } else { format!("\"secret-number-{number:02}-of-all\"") };
        filled.push_str(&before);
        filled.push_str(part);
    }
    let again = checked("filled.toml", &filled).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    let settings = |printed: &str| {
        let settings: Vec<_> =
            printed.lines().filter(|line| !line.starts_with("# not safe: ")).map(str::to_owned).collect();
        settings[..settings.len() - 1].to_vec()
    };
    assert_eq!(settings(&again.stdout), settings(&first.stdout));
}

#[tokio::test]
async fn a_masked_url_is_refused() {
    let text = "[transform]\nallowed_hosts = [\"x.example\"]\nwebhook_target = \"https://x.example/hook?***\"\n";
    refused(text, &[("transform.webhook_target", "must be the whole URL")]).await;
}

#[tokio::test]
async fn the_verdict_counts() {
    let nothing = run(&["check"], &[]).await;
    assert!(nothing.stdout.ends_with("\n# valid: 0 sources, 0 warnings, 4 settings to add\n"), "{}", nothing.stdout);
    let text = "[transform]\nallowed_hosts = [\"x.example\"]\ntokens = [{ env = \"TOKEN\" }]\n[sources.one]\n\
                profile = \"stripe\"\nsecrets = [{ env = \"SECRET\", expires_at = \"2020-01-01T00:00:00Z\" }]\n";
    let ended = check(text, &[("SECRET", "a"), ("TOKEN", "a-token-of-twenty-bytes")]).await;
    assert!(ended.stdout.ends_with("\n# valid: 1 source, 1 warning, 1 setting to add\n"), "{}", ended.stdout);
    let refused = run(&["check"], &[("RELAY_SERVER__LISTEN".into(), "here".into())]).await;
    let said: Vec<_> = refused.stderr.lines().collect();
    let expected = "RELAY_SERVER__LISTEN: server.listen: is \"here\", but must be an IP address and a port, such as \"127.0.0.1:8080\"";
    assert_eq!(said, [expected, "refused: 1 mistake in the environment"]);
}
