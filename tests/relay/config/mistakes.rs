//! Mistakes in settings: each is found, in one line, without a secret in it.

use super::settings::{SOURCE, check, refused};

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
        "[transform]\nwebhook_target = \"https://x.example/?token=sesame\"\n",
        "[transform]\nwebhook_target = \"user:sesame@x.example?token=sesame\"\n",
        "[transform]\nbasic = { username = \"user:sesame\", password = \"x\" }\n",
        "[integrator]\noauth = [{ client_id = \"id:sesame\", client_secret = \"x\" }]\n",
        "[integrator]\noauth = \"sesame\"\n",
        "[sources]\none = [\"sesame\"]\n",
        "sources = \"sesame\"\n",
        "[sources.one]\nprofile = \"paypal\"\nsettings = \"sesame\"\n",
        "[sources.one]\nprofile = \"square\"\nsecrets = [\"x\"]\npublic_url = \"https://u:sesame@x.example?k=sesame\"\n",
        "[sources.one]\nprofile = \"mollie\"\nsecrets = [\"x\"]\nfetch = { token = \"sesame\", base_url = \"https://a:sesame@b?sesame\" }\n",
        "[sources.one]\nprofile = \"mollie\"\nsecrets = [\"x\"]\nfetch = { token = [\"sesame\"] }\n",
        // A list where a table belongs.
        "monitor = [\"sesame\"]\n",
        "monitor = [[\"sesame\"]]\n",
        "integrator = [\"sesame\"]\n",
        "transform = [\"sesame\"]\n",
        "[sources]\na = [\"stripe\", \"sesame\"]\n",
        "[sources]\na = [\"stripe\", [\"sesame\"]]\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [[\"x\", \"sesame\", \"b\", \"c\", \"d\", \"e\", \"f\"]]\n",
        "[integrator]\nbasic = [\"sesame\", \"sesame\"]\n",
        "[integrator]\noauth = [[\"sesame\", \"sesame\", \"sesame\", \"sesame\"]]\n",
        // A number that no text quotes.
        "[integrator]\ntokens = [sesame12345678901234567890]\n",
        // A URL where a host belongs.
        "[transform]\nallowed_hosts = [\"https://sesame@x.example\", \"sesame@x.example\", \"x.example?sesame\"]\n",
        "[transform]\nallowed_hosts = [\"x.example#sesame\", \"x.example/sesame\", \"x.example:sesame\", \"*/?sesame\"]\n",
        "[transform]\nallowed_hosts = \"https://u:sesame@x.example?sesame\"\n",
        "[transform]\nwebhook_target = \"https://x.example:sesame/\"\nallowed_hosts = [\"x.example\"]\n",
        "[transform]\nwebhook_target = \"https://x.exa\\nmple/sesame\"\nallowed_hosts = [\"x.example\"]\n",
        // What a source that never fetches says of fetching.
        "[sources.one]\nprofile = \"mollie\"\nsecrets = [\"x\"]\nfetch = { mode = \"never\", username = \"u:sesame\" }\n",
        "[sources.one]\nprofile = \"mollie\"\nsecrets = [\"x\"]\nfetch = { mode = \"never\", base_url = \"sesame\" }\n",
        // A key that is none.
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"x\"]\nheaders = { \"X-Key: sesame\" = \"a value of twenty bytes\" }\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"x\"]\nheaders = { \"X-Key: sesame\" = 5 }\n",
        "[sources.one]\nprofile = \"paypal\"\nsettings = { \"webhook-id: sesame\" = \"x\" }\n",
        "[sources.one]\nprofile = \"stripe\"\nsecrets = [\"x\"]\n\"secrets: sesame\" = \"x\"\n",
        "[\"tokens: sesame\"]\nx = 1\n",
        "[sources.\"stripe: sesame\"]\nprofile = \"strype\"\nsecrets = [\"x\"]\n",
        "[integrator]\ntokens = [{ env = \"whsec_+sesame\" }]\n",
        "[integrator]\ntokens = [{ \"sesame\" = \"x\" }]\n",
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

/// A secret of digits that nobody put in quotes is no text. The parser's message would repeat it.
#[tokio::test]
async fn a_number_in_the_place_of_a_secret_is_not_printed() {
    for digits in
        ["12345678", "12345678901234567890", "123456789012345678901234567890", "-123456789012345678901234567890"]
    {
        for text in [format!("[integrator]\ntokens = [{digits}]\n"), format!("[monitor]\ntokens = {digits}\n")] {
            let ended = check(&text, &[]).await;
            assert_eq!(ended.code, Some(64), "{text}\n{ended:?}");
            assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("12345678"), "{text}\n{}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn a_list_is_no_table() {
    for (text, key) in [
        ("monitor = [\"t\"]\n", "monitor"),
        ("monitor = [[\"t\"]]\n", "monitor"),
        ("fetch = [1, 2, \"3s\", \"4s\", \"5s\", 6]\n", "fetch"),
        ("debounce = [\"1s\", \"2s\"]\n", "debounce"),
        ("[sources]\na = [\"stripe\", \"whsec_x\"]\n", "sources.a"),
        ("[integrator]\nbasic = [\"u\", \"p\"]\n", "integrator.basic"),
    ] {
        refused(text, &[(key, "must be a table")]).await;
    }
}

#[tokio::test]
async fn a_source_that_never_fetches_is_checked_all_the_same() {
    let never = |more: &str| {
        format!(
            "[sources.one]\nprofile = \"mollie\"\nsecrets = [\"x\"]\nfetch = {{ mode = \"never\", {more} }}\n\
             [fetch]\nrate = 3\n"
        )
    };
    for (more, key, part) in [
        ("rate = 0", "rate", "from 1 to"),
        ("timeout = \"soon\"", "timeout", "number with a unit"),
        ("token = { env = \"NOT_SET_ANYWHERE\" }", "token", "NOT_SET_ANYWHERE"),
        ("password = { file = \"/nowhere/p\" }", "password", "/nowhere/p"),
        ("username = \"a:b\"", "username", "without a colon"),
        ("base_url = \"http://x.example\"", "base_url", "https"),
        ("max_hints = 3, max_hints_per_address = 4", "max_hints_per_address", "max_hints, 3"),
    ] {
        refused(&never(more), &[(&format!("sources.one.fetch.{key}"), part)]).await;
    }
    let ended = check(&never("rate = 5, username = \"u\""), &[]).await;
    assert_eq!(ended.code, Some(0), "nothing is needed: {ended:?}");
    assert!(ended.stdout.contains("sources.one.fetch.username and password: not used"), "{}", ended.stdout);
    // What it does not say is not filled in.
    assert!(ended.stdout.contains("mode = \"never\"\nusername = \"u\"\nrate = 5\n\n"), "{}", ended.stdout);
}

/// One mistake is one line, whatever stands in a key, a name or a path.
#[tokio::test]
async fn a_line_break_in_a_setting_breaks_no_line() {
    refused("[server]\n\"a\\nb\" = 1\n", &[("server.***", "unknown key")]).await;
    refused("[profiles]\ndir = \"no\\nwhere\"\n", &[("profiles.dir", "no\\nwhere")]).await;
    refused("[certificates]\nroots = \"no\\u001bwhere\"\n", &[("certificates.roots", "no\\u{1b}where")]).await;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a\nb");
    std::fs::write(&file, "a token of twenty bytes").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let path = file.to_str().unwrap().replace('\n', "\\n");
    let ended = check(&format!("[integrator]\ntokens = [{{ file = \"{path}\" }}]\n"), &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(&format!("can read {path}\n")), "{}", ended.stdout);
    assert!(toml::from_str::<toml::Table>(&ended.stdout).is_ok(), "{}", ended.stdout);
}

#[tokio::test]
async fn two_spellings_of_a_header_are_one_too_many() {
    let text =
        format!("{SOURCE}headers = {{ X-Key = \"a value of twenty bytes\", x-key = \"b value of twenty bytes\" }}\n");
    refused(&text, &[("sources.one.headers.x-key", "X-Key")]).await;
}

#[tokio::test]
async fn a_mistake_hides_no_other() {
    let text = "[store.keep]\ndead_letters = \"0s\"\ndead_letters_size = 0\n";
    let expected = [("store.keep.dead_letters", "more than 0"), ("store.keep.dead_letters_size", "from 1 byte")];
    refused(text, &expected).await;
}

#[tokio::test]
async fn a_boolean_is_true_or_false() {
    for value in ["1", "0", "\"yes\"", "\"on\"", "\"TRUE\"", "1.0"] {
        let ended = check(&format!("[store]\nmust_exist = {value}\n"), &[]).await;
        let expected = format!("relay.toml:2: store.must_exist: is {value}, but must be true or false\n");
        assert!(ended.stderr.contains(&expected), "{expected} in {ended:?}");
    }
    let off = check("", &[("RELAY_STORE__MUST_EXIST", "false")]).await;
    assert_eq!(off.code, Some(0), "{off:?}");
    let no = check("", &[("RELAY_STORE__MUST_EXIST", "no")]).await;
    assert!(
        no.stderr.contains("RELAY_STORE__MUST_EXIST: store.must_exist: is \"no\", but must be true or false"),
        "{no:?}"
    );
}

#[tokio::test]
async fn a_variable_that_is_no_setting_is_named() {
    for (name, expected) in [
        ("RELAY_SERVER__FOO", "RELAY_SERVER__FOO: server.foo: unknown key"),
        ("RELAY_SERVER__FOO__BAR", "RELAY_SERVER__FOO__BAR: server.foo: unknown key"),
        ("RELAY_A__", "RELAY_A__: unknown key"),
        ("RELAY___A", "RELAY___A: unknown key"),
        ("RELAY_A__B C", "RELAY_A__B C: unknown key"),
    ] {
        let ended = check("", &[(name, "x")]).await;
        let said: Vec<_> = ended.stderr.lines().collect();
        assert_eq!((ended.code, said.len(), said[0]), (Some(64), 2, expected), "{ended:?}");
    }
}

/// A token opens one door: the payment stack could read as Transform, and Transform could register.
#[tokio::test]
async fn a_token_of_transform_and_of_the_integrator_is_warned_of() {
    let text =
        |other: &str| format!("[transform]\ntokens = [\"a\", \"shared\"]\n[integrator]\ntokens = [\"{other}\"]\n");
    let ended = check(&text("shared"), &[]).await;
    let line = ended.stdout.lines().find(|line| line.contains("integrator.tokens[0], transform.tokens[1]: "));
    assert!(ended.code == Some(0) && line.is_some_and(|line| line.starts_with("# not safe: ")), "{ended:?}");
    assert!(!check(&text("other"), &[]).await.stdout.contains("transform.tokens[1]: the same"));
}
