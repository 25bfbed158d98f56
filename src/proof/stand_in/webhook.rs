//! The webhook of the contract, as Transform reads it: the record that it tells of.

use serde_json::{Value, json};

/// A record as Transform names it: type code (1 preauth, 2 payment, 3 refund, 4 agreement) and Transform id.
pub type Key = (u8, String);

/// The body of the webhook that tells of this record.
#[must_use]
pub fn webhook(code: u8, id: &str) -> Value {
    json!({name(code): id, "Type": code})
}

/// The record of a webhook.
///
/// # Errors
/// The webhook does not have exactly the form of the contract. The error has its text.
pub fn told_of(body: &[u8]) -> Result<Key, String> {
    let text = String::from_utf8_lossy(body);
    let wrong = || format!("it does not have the contract's form: {text}");
    let value: Value = serde_json::from_slice(body).map_err(|_| wrong())?;
    let code = value.get("Type").and_then(Value::as_u64).and_then(|code| u8::try_from(code).ok()).unwrap_or_default();
    let id = value.get(name(code)).and_then(Value::as_str).unwrap_or_default();
    if !(1..=4).contains(&code) || id.is_empty() || webhook(code, id).to_string() != text {
        return Err(wrong());
    }
    Ok((code, id.to_owned()))
}

const fn name(code: u8) -> &'static str {
    if code == 4 { "AgreementId" } else { "TransactionId" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_has_exactly_the_form_of_the_contract() {
        assert_eq!(webhook(2, "t").to_string(), r#"{"TransactionId":"t","Type":2}"#);
        assert_eq!(told_of(br#"{"TransactionId":"t","Type":2}"#).unwrap(), (2, "t".to_owned()));
        assert_eq!(told_of(br#"{"AgreementId":"a","Type":4}"#).unwrap(), (4, "a".to_owned()));
        for bad in [
            &br#"{"TransactionId":"t","Type":4}"#[..],
            br#"{"Type":2,"TransactionId":"t"}"#,
            br#"{"TransactionId":"t","Type":5}"#,
            br#"{"TransactionId":"t","Type":2,"status":"Succeeded"}"#,
            br#"{"TransactionId": "t","Type":2}"#,
            b"",
        ] {
            assert!(told_of(bad).is_err());
        }
    }
}
