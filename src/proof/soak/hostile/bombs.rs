//! Attack: bombs, bodies that are cheap to send and expensive to read (XML, forms, JSON, batches).

use super::super::lives::Chance;
use super::stranger::Stranger;

pub(super) const WPG: &str = "strangers-wpg";
const PASSWORD: &str = "soak-password";

/// A source of Worldpay's XML, which is read only with the right credentials. Here the stranger has them.
pub(super) fn config() -> String {
    format!(
        "\n[sources.{WPG}]\nprofile = \"worldpay-wpg\"\nbasic = {{ username = \"wpg\", password = \"{PASSWORD}\" }}\n"
    )
}

/// Posts one bomb. The relay may answer anything, but it must answer.
pub(super) async fn round(stranger: &Stranger, mut chance: Chance) {
    let (path, kind, body) = match chance.within(0, 8) {
        0 => (WPG, "text/xml", attributes()),
        1 => (WPG, "text/xml", namespaces()),
        2 => (WPG, "text/xml", nested()),
        3 => (WPG, "text/xml", entities()),
        4 => (WPG, "text/xml", elements()),
        5 => (super::captured::BRAINTREE, "application/x-www-form-urlencoded", "a=&".repeat(300_000)),
        6 => ("stripe-main", "application/json", format!("{}{}", "[".repeat(400_000), "]".repeat(400_000))),
        7 => (super::captured::ADYEN, "application/json", items()),
        _ => (super::captured::ADYEN, "application/json", format!("[{}0]", "{\"\":0},".repeat(120_000))),
    };
    let Some(url) = stranger.url(&format!("/notifications/{path}")) else { return };
    let mut request = stranger.client.post(url).header("Content-Type", kind);
    if path == WPG {
        request = request.basic_auth("wpg", Some(PASSWORD));
    }
    if let Err(error) = request.body(body).send().await
        && error.is_timeout()
    {
        stranger.violated(format!("a bomb at {path} is not answered: {error}"));
    }
}

fn attributes() -> String {
    let attributes: String = (0..60_000).map(|number| format!(" a{number}=''")).collect();
    format!("<x{attributes}/>")
}

fn namespaces() -> String {
    let namespaces: String = (0..30_000).map(|number| format!(" xmlns:a{number}='u'")).collect();
    format!("<x{namespaces}/>")
}

fn nested() -> String {
    let open: String = (0..20_000).map(|number| format!("<a xmlns:b{number}='u'>")).collect();
    format!("{open}{}", "</a>".repeat(20_000))
}

fn entities() -> String {
    format!("<!DOCTYPE x [<!ENTITY a \"{}\">]><x>{}</x>", "y".repeat(60_000), "&a;".repeat(60_000))
}

fn elements() -> String {
    format!("<x>{}</x>", "<a/>".repeat(200_000))
}

/// A batch of unsigned items.
fn items() -> String {
    format!("{{\"notificationItems\":[{}{{}}]}}", "{\"NotificationRequestItem\":{}},".repeat(30_000))
}
