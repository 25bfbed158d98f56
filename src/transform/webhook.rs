//! The webhook to Transform: it names the changed record, and nothing else (contract, section 2).

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::{Kind, RecordKey, TransformId};

/// The webhook: it names the record that changed. Agreements are named by AgreementId, all others by TransactionId.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ChangeNotification {
    /// A preauthorization, a payment or a refund.
    Transaction {
        /// Transform's id of the transaction.
        #[serde(rename = "TransactionId")]
        id: TransformId,
        /// 1 preauthorization, 2 payment, 3 refund.
        #[serde(rename = "Type")]
        #[schemars(range(min = 1, max = 3))]
        code: u8,
    },
    /// An agreement.
    Agreement {
        /// Transform's id of the agreement.
        #[serde(rename = "AgreementId")]
        id: TransformId,
        /// Always 4.
        #[serde(rename = "Type")]
        #[schemars(extend("const" = 4))]
        code: u8,
    },
}

/// The body of the webhook for one record, byte for byte: `{"TransactionId":"…","Type":2}`, for agreements
/// `{"AgreementId":"…","Type":4}`.
///
/// # Errors
/// None in practice: two plain fields can always be written.
pub fn body(key: &RecordKey) -> serde_json::Result<String> {
    let (id, code) = (key.id.clone(), key.kind.code());
    serde_json::to_string(&match key.kind {
        Kind::Agreement => ChangeNotification::Agreement { id, code },
        Kind::Preauth | Kind::Payment | Kind::Refund => ChangeNotification::Transaction { id, code },
    })
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
