//! The bodies that Transform reads (contract, sections 3 and 3a). What the server of the contract's sample leaves out is left
//! out here: nulls and defaults.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::Value;

use super::value::{AgreementStatus, Amount, TransactionStatus, UtcTime};
use crate::domain::ids::TransformId;
use crate::domain::money::Currency;
use crate::domain::status::{ChargebackReason, ErrorCode};

/// The answer to Transform: a record, or the failure that a transaction ended in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Body {
    /// The record.
    Record(Box<RecordBody>),
    /// The failure.
    Failure(PaymentError),
}

/// A record of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RecordBody {
    /// A preauthorization.
    Preauth(PreauthResponse),
    /// A payment.
    Payment(PaymentResponse),
    /// A refund.
    Refund(RefundResponse),
    /// An agreement.
    Agreement(AgreementResponse),
}

/// The part that preauthorizations, payments and refunds have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = |schema: &mut Schema| always(schema, &["currency", "requestedAmount"]))]
pub struct Transaction {
    /// Transform's id of the transaction.
    pub transaction_id: TransformId,
    /// The payment stack's own id as registered, or else one made of kind and id.
    pub external_transaction_id: String,
    /// The PSP's id; absent while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psp_transaction_id: Option<String>,
    /// ISO 4217, upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub currency: Option<Currency>,
    /// The amount that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub requested_amount: Option<Amount>,
    /// The state.
    pub status: TransactionStatus,
    /// Rises strictly with every change that shows.
    pub last_updated: UtcTime,
}

/// A preauthorization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreauthResponse {
    /// The common part.
    #[serde(flatten)]
    pub transaction: Transaction,
    /// The reserved amount. Absent unless the preauthorization has succeeded, and where it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized_amount: Option<Amount>,
    /// The end of the reservation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UtcTime>,
    /// The customer's payment data as the payment stack and the PSP know it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bearer: BTreeMap<String, String>,
    /// The URL at which the customer finishes the transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
    /// The data that belongs to `redirectUrl`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub redirect_data: BTreeMap<String, String>,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentResponse {
    /// The common part.
    #[serde(flatten)]
    pub transaction: Transaction,
    /// The bookings that stand; several for partial payments.
    pub payments: Vec<PaymentItem>,
    /// The chargebacks that stand.
    pub chargebacks: Vec<Chargeback>,
    /// Confirmed refunds, never more than was paid. Absent where it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunded_amount: Option<Amount>,
    /// The amount that can still be refunded: paid, less refunds and chargebacks. Absent where it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refundable_amount: Option<Amount>,
    /// The due date of a direct debit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_date: Option<UtcTime>,
    /// The customer's payment data as the payment stack and the PSP know it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bearer: BTreeMap<String, String>,
    /// The URL at which the customer finishes the transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundResponse {
    /// The common part.
    #[serde(flatten)]
    pub transaction: Transaction,
    /// The amount that was given back; absent until that is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunded_amount: Option<Amount>,
    /// The day on which the refund succeeded. Until then, it is the day of `lastUpdated`.
    pub booking_date: Date,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// An agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgreementResponse {
    /// Transform's id of the agreement.
    pub agreement_id: TransformId,
    /// The PSP's id; absent while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psp_agreement_id: Option<String>,
    /// ISO 4217, upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The state.
    pub status: AgreementStatus,
    /// Rises strictly with every change that shows.
    pub last_updated: UtcTime,
    /// The customer's payment data as the payment stack and the PSP know it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bearer: BTreeMap<String, String>,
    /// The URL at which the customer finishes the agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
    /// The failure that the agreement ended in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RecordError>,
}

/// A booking of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentItem {
    /// The PSP's id of the booking; absent if it was imported without one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub external_item_id: String,
    /// The booked amount.
    pub amount: Amount,
    /// The day of the booking.
    pub booking_date: Date,
    /// The PSP's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A chargeback of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chargeback {
    /// The PSP's id of the dispute; absent if it was imported without one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub external_item_id: String,
    /// The amount that was taken back.
    pub amount: Amount,
    /// The day on which the money went.
    pub booking_date: Date,
    /// The PSP's words for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The PSP's charge for the chargeback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_amount: Option<Amount>,
    /// The reason in the contract's words.
    pub reason: ChargebackReason,
    /// The PSP's code for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psp_reason_code: Option<String>,
    /// The PSP's words for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psp_reason_message: Option<String>,
}

/// The failure that the PSP named. The reason of a cancellation is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordError {
    /// Always written, also UnmappedError. The contract's LoginError and PermissionDenied do not occur: they would make
    /// Transform disable the PSP.
    pub error_code: ErrorCode,
    /// The PSP's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The PSP's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psp_error_code: Option<String>,
    /// The time of the record's version (`lastUpdated`), not the PSP's.
    pub received_at: UtcTime,
}

/// How Transform reads a transaction that is Failed, or whose PSP named a failure when it was cancelled or expired. Without a
/// failure, Cancelled and Expired are states, and the record is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PaymentError {
    /// The failure.
    #[serde(flatten)]
    pub error: RecordError,
    /// The state.
    pub status: TransactionStatus,
}

/// Marks properties as required that a registered record always has.
pub(crate) fn always(schema: &mut Schema, names: &[&str]) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.extend(names.iter().map(|name| Value::from(*name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::status::Status;

    fn transaction() -> Transaction {
        Transaction {
            transaction_id: "tx-1".parse().unwrap(),
            external_transaction_id: "own-1".to_owned(),
            psp_transaction_id: Some("pi_1".to_owned()),
            currency: Some("EUR".parse().unwrap()),
            requested_amount: Some(amount("89.25")),
            status: TransactionStatus(Status::Succeeded),
            last_updated: UtcTime::of("2026-03-01T12:30:00.123456Z".parse().unwrap()),
        }
    }

    fn amount(text: &str) -> Amount {
        Amount::of(text.parse().unwrap())
    }

    fn data() -> BTreeMap<String, String> {
        BTreeMap::from([("type".to_owned(), "card".to_owned())])
    }

    const COMMON: &str = r#""transactionId":"tx-1","externalTransactionId":"own-1","pspTransactionId":"pi_1","currency":"EUR","requestedAmount":89.25,"status":"Succeeded","lastUpdated":"2026-03-01T12:30:00.1234560Z""#;

    #[test]
    fn the_order_of_the_fields_and_their_omission_are_fixed() {
        let preauth = PreauthResponse {
            transaction: transaction(),
            authorized_amount: Some(amount("89.25")),
            expires_at: Some(UtcTime::of("2026-03-08T00:00:00Z".parse().unwrap())),
            bearer: data(),
            redirect_url: Some("https://psp.example/pay".to_owned()),
            redirect_data: data(),
        };
        let expected = format!(
            r#"{{{COMMON},"authorizedAmount":89.25,"expiresAt":"2026-03-08T00:00:00.0000000Z","bearer":{{"type":"card"}},"redirectUrl":"https://psp.example/pay","redirectData":{{"type":"card"}}}}"#
        );
        assert_eq!(serde_json::to_string(&preauth).unwrap(), expected);
        let bare = PreauthResponse {
            authorized_amount: None,
            expires_at: None,
            bearer: BTreeMap::new(),
            redirect_url: None,
            redirect_data: BTreeMap::new(),
            ..preauth
        };
        assert_eq!(serde_json::to_string(&bare).unwrap(), format!("{{{COMMON}}}"));
    }

    #[test]
    fn the_lists_of_a_payment_are_written_also_where_they_are_empty() {
        let empty = PaymentResponse {
            transaction: transaction(),
            payments: Vec::new(),
            chargebacks: Vec::new(),
            refunded_amount: None,
            refundable_amount: None,
            due_date: None,
            bearer: BTreeMap::new(),
            redirect_url: None,
        };
        let expected = format!(r#"{{{COMMON},"payments":[],"chargebacks":[]}}"#);
        assert_eq!(serde_json::to_string(&empty).unwrap(), expected);
        let date = "2026-03-20".parse().unwrap();
        let chargeback = Chargeback {
            external_item_id: "dp_1".to_owned(),
            amount: amount("20"),
            booking_date: date,
            description: None,
            fee_amount: Some(amount("15")),
            reason: ChargebackReason::UserInitiated,
            psp_reason_code: Some("fraudulent".to_owned()),
            psp_reason_message: None,
        };
        let item = PaymentItem {
            external_item_id: "pi_1".to_owned(),
            amount: amount("89.25"),
            booking_date: date,
            description: None,
        };
        let full = PaymentResponse {
            payments: vec![item],
            chargebacks: vec![chargeback],
            refunded_amount: Some(amount("10.5")),
            refundable_amount: Some(amount("58.75")),
            due_date: Some(UtcTime::of("2026-03-05T00:00:00Z".parse().unwrap())),
            ..empty
        };
        let expected = format!(
            r#"{{{COMMON},"payments":[{{"externalItemId":"pi_1","amount":89.25,"bookingDate":"2026-03-20"}}],"chargebacks":[{{"externalItemId":"dp_1","amount":20,"bookingDate":"2026-03-20","feeAmount":15,"reason":"UserInitiated","pspReasonCode":"fraudulent"}}],"refundedAmount":10.5,"refundableAmount":58.75,"dueDate":"2026-03-05T00:00:00.0000000Z"}}"#
        );
        assert_eq!(serde_json::to_string(&full).unwrap(), expected);
    }
}
