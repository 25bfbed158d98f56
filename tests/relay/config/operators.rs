//! `[operators]` and `server.admin_listen`: their mistakes.

use super::settings::{SOURCE, check, refused};

const TOKEN: &str = "operator-token-of-enough-bytes";

#[tokio::test]
async fn an_operator_has_a_name_tokens_and_a_role() {
    let good = format!("[operators.a-1_b]\nrole = \"act\"\ntokens = [\"{TOKEN}\"]\n");
    let ended = check(&good, &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stdout.contains(TOKEN), "{}", ended.stdout);
    for (text, key, reason) in [
        (
            good.replace("\"act\"", "\"admin\""),
            "operators.a-1_b.role",
            "is \"admin\", but must be \"look\", \"act\" or",
        ),
        (good.replace("role = \"act\"\n", ""), "operators.a-1_b.role", "is needed: \"look\", \"act\" or \"manage\""),
        (good.replace("\"act\"", "[]"), "operators.a-1_b.role", "must be a text in quotes"),
        (good.replace(&format!("\"{TOKEN}\""), ""), "operators.a-1_b.tokens", "is needed: at least one token"),
        (
            good.replace("[operators.a-1_b]", "[operators.Anna]"),
            "operators.Anna",
            "lower case letters, digits, - and _",
        ),
        (good.replace("[operators.a-1_b]", "[operators.\"a b\"]"), "operators.***", "lower case letters, digits"),
        (format!("{good}basic = {{}}\n"), "operators.a-1_b.basic", "unknown key"),
        (good.replace(&format!("\"{TOKEN}\""), "{ env = \"NOT_SET\" }"), "operators.a-1_b.tokens[0]", "NOT_SET"),
        ("operators = [\"x\"]\n".to_owned(), "operators", "must be a table: [operators.NAME]"),
    ] {
        refused(&text, &[(key, reason)]).await;
    }
}

/// A token of two clients would let the log name the wrong one, or open more than a role does.
#[tokio::test]
async fn an_operators_token_is_nobody_elses() {
    let operator =
        |name: &str| format!("[operators.{name}]\nrole = \"look\"\ntokens = [\"own-{name}-{TOKEN}\", \"{TOKEN}\"]\n");
    let both = operator("anna") + &operator("ben");
    refused(&both, &[("operators.ben.tokens[1]", "is a token of operators.anna.tokens too")]).await;
    for (section, other) in [
        ("[integrator]\n", "integrator"),
        ("[monitor]\n", "monitor"),
        ("[transform]\n", "transform"),
        (SOURCE, "sources.one"),
    ] {
        let other = format!("is a token of {other}.tokens too; each operator needs tokens of their own");
        let text = format!("{section}tokens = [\"{TOKEN}\"]\n{}", operator("anna"));
        refused(&text, &[("operators.anna.tokens[1]", &other)]).await;
    }
}

#[tokio::test]
async fn a_short_token_of_an_operator_is_warned_of() {
    let ended = check("[operators.anna]\nrole = \"look\"\ntokens = [\"short\"]\n", &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let warned =
        ended.stdout.lines().filter(|line| line.contains("operators.anna.tokens[0]: it has fewer than 20 bytes"));
    assert_eq!(warned.count(), 1, "{}", ended.stdout);
}

/// With operators, replaying is not the payment stack's any more.
#[tokio::test]
async fn that_no_operator_may_act_is_said() {
    let operator =
        |name: &str, role: &str| format!("[operators.{name}]\nrole = \"{role}\"\ntokens = [\"{name}-{TOKEN}\"]\n");
    let said = async |text: &str| {
        let ended = check(text, &[]).await;
        ended.stdout.lines().filter(|line| line.starts_with("# to add: operators.NAME.role = \"act\": ")).count()
    };
    assert_eq!(said(&operator("anna", "look")).await, 1);
    assert_eq!(said("").await, 0, "without operators they are the payment stack's");
    for role in ["act", "manage"] {
        assert_eq!(said(&(operator("anna", "look") + &operator("ben", role))).await, 0, "{role}");
    }
}

#[tokio::test]
async fn the_second_address_has_another_port() {
    let text = |listen: &str, admin: &str| format!("[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n");
    for (listen, admin) in [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("0.0.0.0:8080", "127.0.0.1:8080"),
        ("127.0.0.1:8080", "0.0.0.0:8080"),
        ("[::]:8080", "127.0.0.1:8080"),
    ] {
        let reason = format!("is \"{admin}\", but must have another port than server.listen, {listen}");
        refused(&text(listen, admin), &[("server.admin_listen", &reason)]).await;
    }
    refused(
        &text("127.0.0.1:8080", "here"),
        &[("server.admin_listen", "is \"here\", but must be an IP address and a port")],
    )
    .await;
    for (listen, admin) in [
        ("127.0.0.1:8080", "127.0.0.1:8081"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:8080", "127.0.0.2:8080"),
        ("0.0.0.0:8080", "[::1]:8080"),
    ] {
        let ended = check(&text(listen, admin), &[]).await;
        assert_eq!(ended.code, Some(0), "{listen} {admin}: {}", ended.stderr);
        assert!(ended.stdout.contains(&format!("admin_listen = \"{admin}\"\n")), "{}", ended.stdout);
    }
}
