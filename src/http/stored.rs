//! A record as the payment stack reads it: the part that Transform reads, and the part that only the stack and the relay know.

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::domain::ids::{Kind, TransformId};
use crate::domain::ignored::Ignored;
use crate::domain::record::Record;
use crate::transform::body::{
    AgreementResponse, PaymentResponse, PreauthResponse, RecordBody, RecordError, RefundResponse, always,
};
use crate::transform::response::error;

/// The record as it is stored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Stored{L}")]
pub(super) struct Stored<R, L> {
    /// The part that Transform reads.
    #[serde(flatten)]
    record: R,
    /// The kind of the record.
    kind: Kind,
    /// The source whose events the record takes; absent until a registration names it or its first event binds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The address of the record's webhooks, if it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(url)]
    webhook_target: Option<String>,
    /// The part that only this kind has.
    #[serde(flatten)]
    own: L,
    /// Rises by one with every change that Transform can see.
    #[schemars(range(min = 1))]
    version: u64,
    /// Only in the answer to a registration. The fields of it that do not show, since other news stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<Ignored>,
}

/// The part of a preauthorization.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Preauth")]
pub(super) struct OfPreauth {
    /// Transform's id of the agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_id: Option<TransformId>,
    /// The failure, if Transform reads one in place of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RecordError>,
}

/// The part of a payment.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Payment")]
pub(super) struct OfPayment {
    /// Transform's id of the agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_id: Option<TransformId>,
    /// The preauthorization that the payment captures.
    #[serde(skip_serializing_if = "Option::is_none")]
    preauth_transaction_id: Option<TransformId>,
    /// The failure, if Transform reads one in place of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RecordError>,
}

/// The part of a refund.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Refund", transform = |schema: &mut Schema| always(schema, &["paymentTransactionId"]))]
pub(super) struct OfRefund {
    /// Transform's id of the agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_id: Option<TransformId>,
    /// The payment that the refund gives back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    payment_transaction_id: Option<TransformId>,
    /// The failure, if Transform reads one in place of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RecordError>,
}

/// The part of an agreement: nothing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Agreement")]
pub(super) struct OfAgreement {}

/// A stored record of any kind.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum StoredRecord {
    /// A preauthorization.
    Preauth(Box<Stored<PreauthResponse, OfPreauth>>),
    /// A payment.
    Payment(Box<Stored<PaymentResponse, OfPayment>>),
    /// A refund.
    Refund(Box<Stored<RefundResponse, OfRefund>>),
    /// An agreement.
    Agreement(Box<Stored<AgreementResponse, OfAgreement>>),
}

impl StoredRecord {
    /// The stored record, with the body that Transform reads and the fields of a registration that do not show.
    pub(super) fn of(record: &Record, body: RecordBody, ignored: Vec<Ignored>) -> Self {
        let said = &record.registered;
        let (agreement_id, error) = (said.agreement_id.clone(), error(record));
        match body {
            RecordBody::Preauth(body) => {
                Self::Preauth(stored(record, body, OfPreauth { agreement_id, error }, ignored))
            }
            RecordBody::Payment(body) => {
                let preauth_transaction_id = said.preauth_id.clone();
                Self::Payment(stored(record, body, OfPayment { agreement_id, preauth_transaction_id, error }, ignored))
            }
            RecordBody::Refund(body) => {
                let payment_transaction_id = said.payment_id.clone();
                Self::Refund(stored(record, body, OfRefund { agreement_id, payment_transaction_id, error }, ignored))
            }
            RecordBody::Agreement(body) => Self::Agreement(stored(record, body, OfAgreement {}, ignored)),
        }
    }
}

fn stored<R, L>(record: &Record, body: R, own: L, ignored: Vec<Ignored>) -> Box<Stored<R, L>> {
    Box::new(Stored {
        record: body,
        kind: record.key.kind,
        source: record.source.clone(),
        webhook_target: record.registered.webhook_target.clone(),
        own,
        version: record.version,
        ignored,
    })
}
