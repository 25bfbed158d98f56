//! The kinds of record in the document: their words, and an example of each.

use serde_json::{Value, json};

use crate::domain::ids::Kind;

/// The words for a kind of record.
pub(super) struct Words {
    /// As Transform writes it, and in the names of operations.
    pub(super) name: &'static str,
    /// A record of that kind, with its article.
    pub(super) a_record: &'static str,
}

pub(super) const fn words(kind: Kind) -> Words {
    match kind {
        Kind::Preauth => Words { name: "Preauth", a_record: "a preauthorization" },
        Kind::Payment => Words { name: "Payment", a_record: "a payment" },
        Kind::Refund => Words { name: "Refund", a_record: "a refund" },
        Kind::Agreement => Words { name: "Agreement", a_record: "an agreement" },
    }
}

/// A record as Transform reads it.
pub(super) fn example(kind: Kind) -> Value {
    match kind {
        Kind::Preauth => json!({
            "transactionId": "20221108-636a91f61c48d9fa186166f7",
            "externalTransactionId": "preauth-20221108-636a91f61c48d9fa186166f7",
            "pspTransactionId": "pi_1",
            "currency": "EUR",
            "requestedAmount": 89.25,
            "status": "Succeeded",
            "lastUpdated": "2026-03-01T12:30:00.1234560Z",
            "authorizedAmount": 89.25,
            "expiresAt": "2026-03-08T12:30:00.0000000Z",
            "bearer": {"type": "card", "last4": "4242"},
        }),
        Kind::Payment => json!({
            "transactionId": "20221108-636a91f61c48d9fa186166f8",
            "externalTransactionId": "payment-20221108-636a91f61c48d9fa186166f8",
            "pspTransactionId": "pi_1",
            "currency": "EUR",
            "requestedAmount": 89.25,
            "status": "Succeeded",
            "lastUpdated": "2026-03-01T12:30:00.1234560Z",
            "payments": [{"externalItemId": "pi_1", "amount": 89.25, "bookingDate": "2026-03-01"}],
            "chargebacks": [{
                "externalItemId": "dp_1",
                "amount": 20,
                "bookingDate": "2026-03-20",
                "feeAmount": 15,
                "reason": "UserInitiated",
                "pspReasonCode": "fraudulent",
            }],
            "refundedAmount": 10.5,
            "refundableAmount": 58.75,
            "bearer": {"type": "card", "last4": "4242"},
        }),
        Kind::Refund => json!({
            "transactionId": "20221109-636a91f61c48d9fa186166f9",
            "externalTransactionId": "refund-20221109-636a91f61c48d9fa186166f9",
            "pspTransactionId": "re_1",
            "currency": "EUR",
            "requestedAmount": 10.5,
            "status": "Succeeded",
            "lastUpdated": "2026-03-02T08:00:00.0000010Z",
            "refundedAmount": 10.5,
            "bookingDate": "2026-03-02",
        }),
        Kind::Agreement => json!({
            "agreementId": "636a918ca2500caaf0390a15",
            "pspAgreementId": "pm_1",
            "status": "Active",
            "lastUpdated": "2026-03-01T12:30:00.1234560Z",
            "bearer": {"type": "sepa_debit", "last4": "3000"},
        }),
    }
}
