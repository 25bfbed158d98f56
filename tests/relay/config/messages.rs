//! Messages about mistakes: each names the origin, the key, what is right, and the name that was probably meant.

use super::settings::check;
use crate::support::program::run;

const STRIPE: &str = "[sources.stripe-main]\nprofile = \"stripe\"\n";

#[tokio::test]
async fn a_mistake_names_its_line_and_what_is_right() {
    let source = |more: &str| format!("{STRIPE}{more}\n");
    for (text, message) in [
        ("[server]\nlisen = \"x\"\n".to_owned(), "relay.toml:2: server.lisen: unknown key; did you mean listen?"),
        ("\n[trasnform]\nx = 1\n".to_owned(), "relay.toml:2: trasnform: unknown key; did you mean transform?"),
        ("[transform]\ntoken = \"x\"\n".to_owned(), "relay.toml:2: transform.token: unknown key; did you mean tokens?"),
        (
            "[store.keep]\nhistry = \"1d\"\n".to_owned(),
            "relay.toml:2: store.keep.histry: unknown key; did you mean history?",
        ),
        ("[debounce]\ncolour = 1\n".to_owned(), "relay.toml:2: debounce.colour: unknown key"),
        (
            "[integrator]\nbasic = { user = \"u\", password = \"p\" }\n".to_owned(),
            "relay.toml:2: integrator.basic.user: unknown key; did you mean username?",
        ),
        (source("secret = \"x\""), "relay.toml:3: sources.stripe-main.secret: unknown key; did you mean secrets?"),
        (
            source("secrets = [\n  \"x\",\n  { enviroment = \"X\" },\n]"),
            "relay.toml:5: sources.stripe-main.secrets[1]: has an unknown key; the keys are value, env, file, name, key_id, \
             not_before, expires_at; did you mean env?",
        ),
        (
            "[[sources]]\nprofile = \"stripe\"\n".to_owned(),
            "relay.toml:1: sources: is a list, but must be a table: [sources.NAME]",
        ),
        ("monitor = [\"x\"]\n".to_owned(), "relay.toml:1: monitor: is a list, but must be a table: [monitor]"),
        (
            "[server]\ntrusted_proxies = \"10.0.0.0/8\"\n".to_owned(),
            "relay.toml:2: server.trusted_proxies: is \"10.0.0.0/8\", but must be a list: [\"one\", \"two\"]",
        ),
        (
            "[server]\nshutdown_grace = 3\n".to_owned(),
            "relay.toml:2: server.shutdown_grace: is \"3\", but must be a number with a unit, such as \"500ms\", \"10s\", \
             \"72h\" or \"7d\"; 400d at most",
        ),
        (
            source("secrets = [\"x\"]\nevents = [\"payment_intent.suceeded\"]"),
            "relay.toml:4: sources.stripe-main.events[0]: is \"payment_intent.suceeded\", but must be a type that the profile \
             understands; did you mean payment_intent.succeeded?",
        ),
        ("a = 1\na = 2\n".to_owned(), "relay.toml:2: is not TOML: duplicate key"),
    ] {
        let ended = check(&text, &[]).await;
        assert_eq!(ended.code, Some(64), "{text}\n{ended:?}");
        assert!(ended.stderr.lines().any(|line| line.ends_with(&format!("/{message}"))), "{message}\n{}", ended.stderr);
    }
    let strpe = check("[sources.a]\nprofile = \"strpe\"\n", &[]).await;
    assert!(
        strpe.stderr.contains("relay.toml:2: sources.a.profile: is \"strpe\", but must be one of adyen, "),
        "{strpe:?}"
    );
    assert!(strpe.stderr.contains("; did you mean stripe?\n"), "{strpe:?}");
    let missing = check("\n[sources.a]\nsecrets = [\"x\"]\n", &[]).await;
    assert!(missing.stderr.contains("relay.toml:2: sources.a.profile: is missing, but must be one of "), "{missing:?}");
    let setting = "[sources.a]\nprofile = \"paypal\"\nsettings = { webhook_id = \"x\" }\n";
    let setting = check(setting, &[]).await.stderr;
    assert!(setting.contains("the profile asks for no such setting; did you mean webhook-id?"), "{setting}");
}

#[tokio::test]
async fn a_mistake_in_a_variable_names_the_variable() {
    for (name, value, message) in [
        ("RELAY_SERVER__LISEN", "x", "server.lisen: unknown key; did you mean RELAY_SERVER__LISTEN?"),
        (
            "RELAY_SOURCES__STRIPE_MAIN__SECRET",
            "x",
            "sources.stripe-main.secret: unknown key; did you mean RELAY_SOURCES__STRIPE_MAIN__SECRETS?",
        ),
        (
            "RELAY_SERVER__MAX_BODY",
            "big",
            "server.max_body: is \"big\", but must be a size such as \"1MiB\" or 1048576",
        ),
        (
            "RELAY_SOURCES__STRIPE_MIAN__PROFILE",
            "stripe",
            "sources.stripe_mian.secrets: has 0 secrets, but must have 1 to 5, those of secrets_file included",
        ),
    ] {
        let ended = check(&format!("{STRIPE}secrets = [\"x\"]\n"), &[(name, value)]).await;
        assert_eq!(ended.code, Some(64), "{name}\n{ended:?}");
        assert!(ended.stderr.starts_with(&format!("{name}: {message}\n")), "{message}\n{}", ended.stderr);
    }
}

/// A name with a dash is reached although no shell takes a dash in a variable's name.
#[tokio::test]
async fn a_variable_reaches_a_name_with_a_dash() {
    let text = format!("{STRIPE}secrets = [\"x\"]\nheaders = {{ X-Key = \"a value of twenty bytes\" }}\n");
    let variables = [
        ("RELAY_SOURCES__STRIPE_MAIN__ENABLED", "false"),
        ("RELAY_SOURCES__STRIPE_MAIN__HEADERS__X_KEY", "another value of twenty bytes"),
    ];
    let printed = check(&text, &variables).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let (sources, _) = printed.stdout.split_once("[sources.stripe-main]").unwrap();
    assert!(!sources.contains("[sources.") && printed.stdout.contains("enabled = false"), "{}", printed.stdout);
    assert!(printed.stdout.contains("headers = { X-Key = \"***\" }"), "{}", printed.stdout);
}

#[tokio::test]
async fn a_span_may_have_days() {
    let ended = check("[store.keep]\nhistory = \"30d\"\n", &[]).await;
    assert!(ended.code == Some(0) && ended.stdout.contains("history = \"30d\""), "{ended:?}");
    let ended = check("[store.keep]\nhistory = \"401d\"\n", &[]).await;
    assert!(ended.code == Some(64) && ended.stderr.contains("is \"401d\", but must be a number"), "{ended:?}");
}

#[tokio::test]
async fn the_variable_relay_config_names_the_file_where_no_option_does() {
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(named("a.toml"), "[server]\nkeep_alive = \"7s\"\n").unwrap();
    std::fs::write(named("b.toml"), "[server]\nkeep_alive = \"8s\"\n").unwrap();
    let variable = [("RELAY_CONFIG".to_owned(), named("a.toml"))];
    let by_variable = run(&["check"], &variable).await;
    assert!(by_variable.stdout.contains("keep_alive = \"7s\""), "{by_variable:?}");
    let by_option = run(&["check", "--config", &named("b.toml")], &variable).await;
    assert!(by_option.stdout.contains("keep_alive = \"8s\""), "{by_option:?}");
    for command in ["serve", "reload", "reread", "findings"] {
        let nowhere = [("RELAY_CONFIG".to_owned(), "/nowhere/relay.toml".to_owned())];
        let ended = run(&[command], &nowhere).await;
        assert!(ended.code == Some(64) && ended.stderr.contains("/nowhere/relay.toml"), "{command}: {ended:?}");
    }
}

#[tokio::test]
async fn no_color_turns_the_colours_of_the_log_off() {
    let colours = |more: &[(&str, &str)]| {
        let variables = [("CLICOLOR_FORCE", "1")].iter().chain(more);
        variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let serve = ["serve", "--config", "/nowhere/relay.toml"];
    assert!(run(&serve, &colours(&[])).await.stderr.contains("\u{1b}["));
    let plain = run(&serve, &colours(&[("NO_COLOR", "1")])).await;
    assert!(plain.stderr.contains("wrong configuration") && !plain.stderr.contains('\u{1b}'), "{plain:?}");
}
