//! The webhook to Transform: it names the changed record, and nothing else (contract, section 2).

use serde::Serialize;

use crate::domain::ids::{Kind, RecordKey};

#[derive(Serialize)]
struct TransactionWebhook<'a> {
    #[serde(rename = "TransactionId")]
    id: &'a str,
    #[serde(rename = "Type")]
    code: u8,
}

#[derive(Serialize)]
struct AgreementWebhook<'a> {
    #[serde(rename = "AgreementId")]
    id: &'a str,
    #[serde(rename = "Type")]
    code: u8,
}

/// The body of the webhook for one record, byte for byte: `{"TransactionId":"…","Type":2}`, for agreements
/// `{"AgreementId":"…","Type":4}`.
///
/// # Errors
/// None in practice: two plain fields can always be written.
pub fn body(key: &RecordKey) -> serde_json::Result<String> {
    let (id, code) = (key.id.as_str(), key.kind.code());
    match key.kind {
        Kind::Agreement => serde_json::to_string(&AgreementWebhook { id, code }),
        Kind::Preauth | Kind::Payment | Kind::Refund => serde_json::to_string(&TransactionWebhook { id, code }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_that_of_the_contract() {
        let key = |kind, id: &str| RecordKey::new(kind, id.parse().unwrap());
        let payment = body(&key(Kind::Payment, "20221108-636a91f61c48d9fa186166f8")).unwrap();
        assert_eq!(payment, r#"{"TransactionId":"20221108-636a91f61c48d9fa186166f8","Type":2}"#);
        let agreement = body(&key(Kind::Agreement, "636a918ca2500caaf0390a15")).unwrap();
        assert_eq!(agreement, r#"{"AgreementId":"636a918ca2500caaf0390a15","Type":4}"#);
    }
}
