//! Old names, which this version takes and gives beside the new ones.

use std::fs;

use serde_json::json;

use crate::support::program::run;
use crate::support::{Setup, start};

/// A folder with a profile whose notifications nobody signs, by the old name of `trusts_credentials`.
fn with_an_old_name() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = "name = \"unsigned\"\ntitle = \"Unsigned\"\namounts = \"minor\"\n[[notification]]\nname = \"it\"\n\
                trusts_door = true\ntype = [\"/type\"]\n[[notification.event]]\ntype = \"x\"\nignore = true\n";
    fs::write(folder.path().join("unsigned.toml"), text).unwrap();
    folder
}

const RENAMED: &str =
    "profile unsigned, line 6: trusts_door is called trusts_credentials now; a later version takes the new name only";

#[tokio::test]
async fn an_old_name_in_a_profile_is_taken_and_warned_of() {
    let folder = with_an_old_name();
    let dir = folder.path().to_str().unwrap();
    let more = format!(
        "[profiles]\ndir = \"{dir}\"\n[sources.old]\nprofile = \"unsigned\"\n\
         basic = {{ username = \"user\", password = \"a password that is long enough\" }}\n"
    );
    let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
    relay.program.logged(&["WARN", "renamed: ", RENAMED]).await;
    let sources = relay.sources().await;
    let old = sources.as_array().unwrap().iter().find(|source| source["name"] == "old").unwrap();
    assert_eq!(
        (&old["proofs"], &old["doors"]),
        (&json!(["basic"]), &json!(["basic"])),
        "the old name beside the new one"
    );
    let file = relay.file("relay.toml");
    let checked = run(&["check", "--config", file.to_str().unwrap()], &relay.setup.environment()).await;
    let renamed: Vec<_> = checked.stdout.lines().filter(|line| line.starts_with("# renamed: ")).collect();
    assert_eq!((checked.code, renamed), (Some(0), vec![format!("# renamed: {RENAMED}").as_str()]), "{checked:?}");
}

#[tokio::test]
async fn the_old_name_of_trusted_is_taken_and_warned_of() {
    let folder = with_an_old_name();
    let body = folder.path().join("body.json");
    fs::write(&body, "{\"type\":\"x\"}").unwrap();
    let (dir, body) = (folder.path().to_str().unwrap(), body.to_str().unwrap());
    let test = ["profile", "test", "unsigned", "--dir", dir, "--body", body];
    let trusted = run(&[&test[..], &["--trusted"]].concat(), &[]).await;
    let door = run(&[&test[..], &["--door"]].concat(), &[]).await;
    for said in ["verified as \"it\"", "fits, and ignores the message"] {
        assert!(trusted.stdout.contains(said), "{said} in {trusted:?}");
    }
    assert_eq!((door.code, &door.stdout), (Some(0), &trusted.stdout), "{door:?}");
    assert!(trusted.stderr.contains(RENAMED) && !trusted.stderr.contains("--door"), "{trusted:?}");
    let said = "--door is called --trusted now; a later version takes the new name only";
    assert!(door.stderr.contains(RENAMED) && door.stderr.contains(said), "{door:?}");
}
