//! Webhooks in exactly the form of the contract: the record that one tells of.

use anyhow::anyhow;
use serde_json::Value;

use crate::proof::soak::world::Key;

/// The record of a webhook. An error if the webhook does not have exactly the form of the contract.
pub(super) fn told_of(body: &[u8]) -> anyhow::Result<Key> {
    let text = std::str::from_utf8(body)?;
    let value: Value = serde_json::from_str(text)?;
    let code = value["Type"].as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or_default();
    let name = if code == 4 { "AgreementId" } else { "TransactionId" };
    let id = value[name].as_str().unwrap_or_default();
    let exact = format!(r#"{{"{name}":"{id}","Type":{code}}}"#);
    if !(1..=4).contains(&code) || id.is_empty() || exact != text {
        return Err(anyhow!("it does not have the contract's form: {text}"));
    }
    Ok((code, id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_has_exactly_the_form_of_the_contract() {
        assert_eq!(told_of(br#"{"TransactionId":"t","Type":2}"#).unwrap(), (2, "t".to_owned()));
        assert_eq!(told_of(br#"{"AgreementId":"a","Type":4}"#).unwrap(), (4, "a".to_owned()));
        for bad in [
            &br#"{"TransactionId":"t","Type":4}"#[..],
            br#"{"Type":2,"TransactionId":"t"}"#,
            br#"{"TransactionId":"t","Type":5}"#,
            br#"{"TransactionId":"t","Type":2,"status":"Succeeded"}"#,
            b"",
        ] {
            assert!(told_of(bad).is_err());
        }
    }
}
