//! `psp_settings_ids`: the ids by which Transform names the sources.

use super::settings::{check, refused};

/// Transform's id of a PSP account must lead to one source.
#[tokio::test]
async fn an_id_of_psp_settings_belongs_to_one_source() {
    let source = |name: &str, ids: &str| {
        format!("[sources.{name}]\nprofile = \"stripe\"\nsecrets = [\"x\"]\npsp_settings_ids = {ids}\n")
    };
    let text = source("one", "[\"a\", \"b\", \"a\"]") + &source("two", "[\"c\", \"b\", \"\", \" d\", \"C\"]");
    let expected = [
        ("sources.one.psp_settings_ids[2]", "is \"a\", but must be in one place only: sources.one.psp_settings_ids[0]"),
        ("sources.two.psp_settings_ids[1]", "is \"b\", but must be in one place only: sources.one.psp_settings_ids[1]"),
        ("sources.two.psp_settings_ids[2]", "is \"\", but must be an id as Transform writes it: not empty"),
        ("sources.two.psp_settings_ids[3]", "is \" d\", but must be an id as Transform writes it"),
    ];
    refused(&text, &expected).await;
    refused(&source("one", "\"a\""), &[("sources.one.psp_settings_ids", "is \"a\", but must be a list")]).await;
    // A source with another mistake has its ids all the same.
    let wrong = source("one", "[\"a\"]").replace("stripe", "strype") + &source("two", "[\"a\"]");
    refused(&wrong, &[("sources.one.profile", "strype"), ("sources.two.psp_settings_ids[0]", "is \"a\"")]).await;
    let (environment, text) = ([("RELAY_SOURCES__ONE__PSP_SETTINGS_IDS", "a, b")], source("one", "[\"c\"]"));
    let ended = check(&text, &environment).await;
    assert!(ended.code == Some(0) && ended.stdout.contains("\npsp_settings_ids = [\"a\", \"b\"]\n"), "{ended:?}");
}
