//! The answer to Transform when it reads a record: the record, or the failure in which it ended (contract, sections 3 and 3a).

use super::body::{
    AgreementResponse, Body, Chargeback, PaymentError, PaymentItem, PaymentResponse, PreauthResponse, RecordBody,
    RecordError, RefundResponse, Transaction,
};
use super::value::{AgreementStatus, Amount, TransactionStatus, UtcTime};
use crate::domain::dispute::BookedChargeback;
use crate::domain::due::utc_date;
use crate::domain::event::Item;
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::status::ErrorCode;
use crate::domain::view::{Detail, PaymentDetail, View};

/// How Transform reads a transaction that shows an error: it is Failed, or the PSP named a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailedAs {
    /// As a PaymentError with the HTTP status of its code.
    #[default]
    Error,
    /// As the record, with its status and 200.
    Record,
}

/// The answer to Transform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Body,
}

/// The answer to Transform when it reads this record.
#[must_use]
pub fn fetched(record: &Record, agreement: Option<&Record>, failed_as: FailedAs) -> Fetched {
    if record.key.kind != Kind::Agreement
        && failed_as == FailedAs::Error
        && let Some(error) = error(record)
    {
        let status = http_status(error.error_code);
        let body = Body::Failure(PaymentError { error, status: TransactionStatus(View::of(record).status) });
        return Fetched { status, body };
    }
    Fetched { status: 200, body: Body::Record(Box::new(shown(record, agreement))) }
}

/// The record as Transform reads it. A preauthorization or a payment shows the payment data of its agreement, overlaid with its
/// own (contract, section 3a).
#[must_use]
pub fn shown(record: &Record, agreement: Option<&Record>) -> RecordBody {
    let mut view = View::of(record);
    if let Some(agreement) = agreement.filter(|_| matches!(record.key.kind, Kind::Preauth | Kind::Payment)) {
        let own = std::mem::take(&mut view.bearer);
        view.bearer = View::of(agreement).bearer;
        view.bearer.extend(own);
    }
    let transaction = transaction(record, &view);
    match std::mem::replace(&mut view.detail, Detail::Agreement) {
        Detail::Preauth { authorized, expires_at } => RecordBody::Preauth(PreauthResponse {
            transaction,
            authorized_amount: Amount::unless_zero(authorized),
            expires_at: expires_at.map(UtcTime::of),
            bearer: view.bearer,
            redirect_url: view.redirect_url,
            redirect_data: view.redirect_data,
        }),
        Detail::Payment(detail) => RecordBody::Payment(payment(transaction, *detail, view)),
        Detail::Refund { refunded, booking_date, description } => RecordBody::Refund(RefundResponse {
            transaction,
            refunded_amount: Amount::unless_zero(refunded),
            // The contract has the day in every refund. Until it has succeeded, it is the day of what is known.
            booking_date: booking_date.unwrap_or_else(|| utc_date(record.last_updated)),
            description,
        }),
        Detail::Agreement => RecordBody::Agreement(shown_agreement(record, view)),
    }
}

fn transaction(record: &Record, view: &View) -> Transaction {
    Transaction {
        transaction_id: record.key.id.clone(),
        external_transaction_id: external_id(record, view),
        psp_transaction_id: view.psp_id.clone(),
        currency: view.currency,
        requested_amount: view.requested_amount.map(Amount::of),
        status: TransactionStatus(view.status),
        last_updated: UtcTime::of(record.last_updated),
    }
}

fn payment(transaction: Transaction, detail: PaymentDetail, view: View) -> PaymentResponse {
    PaymentResponse {
        transaction,
        payments: detail.payments.into_iter().map(item).collect(),
        chargebacks: detail.chargebacks.into_iter().map(chargeback).collect(),
        refunded_amount: Amount::unless_zero(detail.refunded),
        refundable_amount: Amount::unless_zero(detail.refundable),
        due_date: detail.due_date.map(UtcTime::of),
        bearer: view.bearer,
        redirect_url: view.redirect_url,
    }
}

fn item(item: Item) -> PaymentItem {
    PaymentItem {
        external_item_id: item.id,
        amount: Amount::of(item.amount),
        booking_date: item.date,
        description: item.description,
    }
}

fn chargeback(chargeback: BookedChargeback) -> Chargeback {
    let why = chargeback.why;
    let words = why.as_ref().and_then(|why| why.psp_message.clone());
    Chargeback {
        external_item_id: chargeback.id,
        amount: Amount::of(chargeback.amount),
        booking_date: chargeback.date,
        description: words.clone(),
        fee_amount: chargeback.fee.map(Amount::of),
        reason: why.as_ref().map(|why| why.reason).unwrap_or_default(),
        psp_reason_code: why.and_then(|why| why.psp_code),
        psp_reason_message: words,
    }
}

fn shown_agreement(record: &Record, view: View) -> AgreementResponse {
    AgreementResponse {
        agreement_id: record.key.id.clone(),
        error: view.error.is_some().then(|| record_error(record, &view)),
        psp_agreement_id: view.psp_id,
        currency: view.currency,
        status: AgreementStatus(view.status),
        last_updated: UtcTime::of(record.last_updated),
        bearer: view.bearer,
        redirect_url: view.redirect_url,
    }
}

/// The error that a transaction shows: it is Failed, or the PSP named a failure.
#[must_use]
pub fn error(record: &Record) -> Option<RecordError> {
    let view = View::of(record);
    view.error_since.is_some().then(|| record_error(record, &view))
}

/// The error. Its code is always there, although UnmappedError is the default: an error without one cannot be told from none.
///
/// Its time is the relay's time of this version, not the PSP's: Transform ignores an error that is older than its copy
/// (contract, section 3a).
fn record_error(record: &Record, view: &View) -> RecordError {
    let error = view.error.as_ref();
    RecordError {
        error_code: error.and_then(|error| error.code).unwrap_or(ErrorCode::UnmappedError),
        error_message: error.and_then(|error| error.message.clone()),
        psp_error_code: error.and_then(|error| error.psp_code.clone()),
        received_at: UtcTime::of(record.last_updated),
    }
}

/// The HTTP status of a PaymentError (contract, section 3). The status 401 of a LoginError does not occur here.
const fn http_status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::UnmappedError
        | ErrorCode::AlreadyExecuted
        | ErrorCode::RateLimit
        | ErrorCode::InvalidPreconditions
        | ErrorCode::InternalError
        | ErrorCode::InvalidConfiguration
        | ErrorCode::PSPConnectionTimeout
        | ErrorCode::InternalProviderError
        | ErrorCode::PSPConnectionProblem => 500,
        ErrorCode::LimitExceeded => 429,
        ErrorCode::BearerInvalid
        | ErrorCode::BearerExpired
        | ErrorCode::InvalidData
        | ErrorCode::InvalidAmount
        | ErrorCode::InvalidCountry
        | ErrorCode::InvalidCurrency
        | ErrorCode::InvalidBic
        | ErrorCode::InvalidIBAN
        | ErrorCode::InvalidNationalIdNumber
        | ErrorCode::InsufficientBalance
        | ErrorCode::Rejected
        | ErrorCode::Canceled => 422,
    }
}

/// The Integrator's own id of a record. Without a registered one, it is derived from the record's key, and therefore the same
/// on every relay.
fn external_id(record: &Record, view: &View) -> String {
    view.external_id.clone().unwrap_or_else(|| format!("{}-{}", record.key.kind, record.key.id))
}

#[cfg(test)]
mod tests {

    use jiff::Timestamp;
    use rust_decimal::Decimal;
    use serde_json::{Value, json, to_value};

    use super::*;
    use crate::domain::attempt::Attempt;
    use crate::domain::ids::RecordKey;
    use crate::domain::record::{Registered, Seen};
    use crate::domain::stamp::{Stamp, Stamped};
    use crate::domain::status::{PspError, Status, StatusFact};

    /// A record that the PSP's last word has brought into this state.
    fn ended(kind: Kind, status: Status, error: Option<PspError>) -> Record {
        let since = "2026-03-01T12:30:00Z".parse().unwrap();
        let fact = StatusFact { status, error, since, stands: status.is_success() };
        let stamp = Stamp { at: fact.since, rank: status.rank(kind), tie: "evt_1".to_owned() };
        Record {
            seen: Seen {
                attempts: vec![Attempt { status: Some(Stamped { stamp, value: fact }), ..Attempt::default() }],
                ..Seen::default()
            },
            version: 2,
            last_updated: "2026-03-01T12:31:00Z".parse().unwrap(),
            ..Record::new(
                RecordKey::new(kind, "tx-1".parse().unwrap()),
                None,
                Timestamp::UNIX_EPOCH,
                Registered {
                    requested_amount: Some(Decimal::TEN),
                    currency: Some("EUR".parse().unwrap()),
                    ..Registered::default()
                },
            )
        }
    }

    /// The status, and the body as JSON.
    fn read(record: &Record, failed_as: FailedAs) -> (u16, Value) {
        let Fetched { status, body } = fetched(record, None, failed_as);
        (status, to_value(body).unwrap())
    }

    fn failure(code: Option<ErrorCode>) -> PspError {
        PspError { code, psp_code: Some("51".to_owned()), message: None }
    }

    const TRANSACTIONS: [Kind; 3] = [Kind::Preauth, Kind::Payment, Kind::Refund];

    #[test]
    fn cancelled_and_expired_are_states_and_the_record_is_read() {
        for (kind, status) in
            TRANSACTIONS.into_iter().flat_map(|kind| [(kind, Status::Cancelled), (kind, Status::Expired)])
        {
            for failed_as in [FailedAs::Error, FailedAs::Record] {
                let (http, body) = read(&ended(kind, status, None), failed_as);
                assert_eq!((http, &body["status"]), (200, &json!(status.name())), "{kind}");
                assert_eq!((&body["transactionId"], body.get("errorCode")), (&json!("tx-1"), None), "{kind}");
            }
        }
    }

    #[test]
    fn a_named_failure_is_an_error_whose_code_is_always_written() {
        let rejected = Some(ErrorCode::Rejected);
        for (status, error, http, code) in [
            (Status::Failed, None, 500, "UnmappedError"),
            (Status::Failed, Some(failure(None)), 500, "UnmappedError"),
            (Status::Failed, Some(failure(rejected)), 422, "Rejected"),
            (Status::Cancelled, Some(failure(None)), 500, "UnmappedError"),
            (Status::Cancelled, Some(failure(rejected)), 422, "Rejected"),
            (Status::Expired, Some(failure(Some(ErrorCode::LimitExceeded))), 429, "LimitExceeded"),
        ] {
            for kind in TRANSACTIONS {
                let record = ended(kind, status, error.clone());
                let (answered, body) = read(&record, FailedAs::Error);
                let named = error.as_ref().map(|_| json!("51"));
                assert_eq!((answered, &body["errorCode"]), (http, &json!(code)), "{kind} {status:?}");
                assert_eq!((&body["status"], body.get("pspErrorCode")), (&json!(status.name()), named.as_ref()));
                assert_eq!(body["receivedAt"], "2026-03-01T12:31:00.0000000Z", "the time of the version");
                let (answered, body) = read(&record, FailedAs::Record);
                assert_eq!((answered, &body["status"]), (200, &json!(status.name())), "{kind}");
            }
        }
    }

    #[test]
    fn an_agreement_is_the_record_with_an_error_if_it_failed() {
        let shown = |error| {
            let (status, body) = read(&ended(Kind::Agreement, Status::Inactive, error), FailedAs::Error);
            assert_eq!((status, &body["status"]), (200, &json!("Inactive")));
            body.get("error").cloned()
        };
        assert_eq!(shown(None), None);
        let error = json!({
            "errorCode": "UnmappedError", "pspErrorCode": "51", "receivedAt": "2026-03-01T12:31:00.0000000Z",
        });
        assert_eq!(shown(Some(failure(None))), Some(error));
    }
}
