//! Attack: replays of genuine texts (signed by the relay's endpoint check) and of captured notifications.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::lives::Chance;
use super::super::world::one;
use super::stranger::Stranger;
use crate::proof::stand_in::{Psp, STACK_TOKEN};

pub(super) const BRAINTREE: &str = "strangers-braintree";
pub(super) const ADYEN: &str = "strangers-adyen";
const ADYEN_SECRET: &str = "737472616e6765727320737472616e6765727320737472616e67657273202121";

pub(super) fn config() -> String {
    format!(
        r#"
[sources.{BRAINTREE}]
profile = "braintree"
secrets = ["soak-private-key"]
settings = {{ public-key = "soak-public-key" }}

[sources.{ADYEN}]
profile = "adyen"
secrets = ["{ADYEN_SECRET}"]
"#
    )
}

/// Has the relay sign a text by its endpoint check, and posts that text as a notification.
pub(super) async fn oracle(stranger: &Stranger, mut chance: Chance) {
    let length = usize::try_from(chance.within(20, 32)).unwrap_or(20);
    let text = chance.hex(length);
    let Some(url) = stranger.url(&format!("/notifications/{BRAINTREE}")) else { return };
    let Ok(asked) = stranger.client.get(format!("{url}?bt_challenge={text}")).send().await else { return };
    let Ok(signature) = asked.text().await else { return };
    let pad = "x".repeat(if chance.one_in(8) { 500_000 } else { 0 });
    let form = format!("bt_signature={signature}&bt_payload={text}&pad={pad}").replace('|', "%7C");
    let request = stranger.client.post(url).header("Content-Type", "application/x-www-form-urlencoded");
    let Ok(response) = request.body(form).send().await else { return };
    if response.status().as_u16() < 400 {
        stranger.violated(format!("a text signed by the endpoint check is taken as a notification: {text}"));
    }
    if signature.contains('|') {
        one(&stranger.done.signed);
    }
}

/// Repeats a captured item with another time, in the future and now. The PSP's later news must stand.
pub(super) async fn replay(stranger: &Stranger, mut chance: Chance) {
    let id = format!("soak-captured-{}", chance.hex(16));
    if tell(stranger, &id, &mut chance).await.is_none() {
        // The relay could not take a request now. The next round tries another record.
        return;
    }
    let Some(url) = stranger.url(&format!("/records/payment/{id}")) else { return };
    let Ok(answer) = stranger.client.get(url).bearer_auth(STACK_TOKEN).send().await else { return };
    let Ok(text) = answer.text().await else { return };
    let record: Value = serde_json::from_str(&text).unwrap_or_default();
    if record["status"] != "Cancelled" {
        stranger.violated(format!("{id}: cancelled at its PSP, but a captured item with another time stands: {text}"));
    }
    one(&stranger.done.replayed);
}

/// Plays one payment: authorised, repeated by the stranger, cancelled. `None` if the relay did not take all of it.
async fn tell(stranger: &Stranger, id: &str, chance: &mut Chance) -> Option<()> {
    let registered = json!({"source": ADYEN, "requestedAmount": 10, "currency": "EUR"}).to_string();
    let request = stranger.client.put(stranger.url(&format!("/records/payment/{id}"))?).bearer_auth(STACK_TOKEN);
    let answer = request.header("Content-Type", "application/json").body(registered).send().await.ok()?;
    answer.status().is_success().then_some(())?;
    let (now, authorised) = (Timestamp::now(), format!("PSPC{}", chance.hex(12)));
    let minutes_ago = |minutes| now.saturating_sub(SignedDuration::from_mins(minutes)).unwrap_or(now);
    let item = |at: Timestamp, code: &str, reference: &str| {
        let at = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let mut item = json!({
            "amount": {"currency": "EUR", "value": 1000}, "eventCode": code, "eventDate": at, "additionalData": {},
            "merchantAccountCode": "SoakECOM", "merchantReference": id, "paymentMethod": "visa",
            "pspReference": reference, "reason": "", "success": "true"});
        if reference != authorised {
            item["originalReference"] = authorised.as_str().into();
        }
        json!({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})
    };
    post(stranger, &item(minutes_ago(9), "AUTHORISATION", &authorised)).await?;
    for at in ["2099-01-01T00:00:00Z".parse().ok()?, now] {
        post(stranger, &item(at, "AUTHORISATION", &authorised)).await?;
    }
    post(stranger, &item(minutes_ago(5), "CANCELLATION", &format!("PSPD{}", chance.hex(12)))).await
}

/// Posts an item with its genuine signature. The signature covers neither the time nor the reason, so a stranger can change
/// these and keep it.
async fn post(stranger: &Stranger, body: &Value) -> Option<()> {
    let psp = Psp::new(ADYEN, "adyen", ADYEN_SECRET).ok()?;
    let signed = psp.sign(None, body.to_string().as_bytes(), Timestamp::now()).ok()?;
    let mut request = stranger.client.post(stranger.url(&format!("/notifications/{ADYEN}"))?);
    for (name, value) in signed.headers {
        request = request.header(name, value);
    }
    let answer = request.header("Content-Type", "application/json").body(signed.body).send().await.ok()?;
    answer.status().is_success().then_some(())
}
