//! The answer to Transform when it reads a record: the record, or the failure in which it ended (contract, sections 3 and 3a).

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value, json};

use crate::domain::dispute::BookedChargeback;
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
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
}

/// The answer to Transform when it reads this record. A preauthorization or a payment shows the payment data of its agreement,
/// overlaid with its own (contract, section 3a).
#[must_use]
pub fn fetched(record: &Record, agreement: Option<&Record>, failed_as: FailedAs) -> Fetched {
    let mut view = View::of(record);
    if let Some(agreement) = agreement.filter(|_| matches!(record.key.kind, Kind::Preauth | Kind::Payment)) {
        let own = std::mem::take(&mut view.bearer);
        view.bearer = View::of(agreement).bearer;
        view.bearer.extend(own);
    }
    let mut body = Body::default();
    match record.key.kind {
        Kind::Agreement => agreement_body(&mut body, record, &view),
        _ if view.error_since.is_some() && failed_as == FailedAs::Error => return payment_error(&view),
        _ => transaction(&mut body, record, &view),
    }
    Fetched { status: 200, body: Value::Object(body.0) }
}

/// A JSON object without the fields that the server of the contract's sample leaves out: nulls and defaults.
#[derive(Default)]
struct Body(Map<String, Value>);

impl Body {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn put_amount(&mut self, name: &str, amount: Decimal) {
        if !amount.is_zero() {
            self.put(name, number(amount));
        }
    }

    fn put_map(&mut self, name: &str, map: &std::collections::BTreeMap<String, String>) {
        if !map.is_empty() {
            self.put(name, json!(map));
        }
    }
}

fn transaction(body: &mut Body, record: &Record, view: &View) {
    body.put("transactionId", record.key.id.as_str());
    body.put("externalTransactionId", external_id(record));
    body.put_some("pspTransactionId", view.psp_id.as_deref());
    body.put_some("currency", view.currency.map(|currency| currency.code()));
    body.put_some("requestedAmount", view.requested_amount.map(number));
    body.put("status", view.status.name());
    body.put("lastUpdated", instant(record.last_updated));
    match &view.detail {
        Detail::Preauth { authorized, expires_at } => {
            body.put_amount("authorizedAmount", *authorized);
            body.put_some("expiresAt", expires_at.map(instant));
        }
        Detail::Payment(detail) => payment(body, detail),
        Detail::Refund { refunded, booking_date } => {
            body.put_amount("refundedAmount", *refunded);
            body.put_some("bookingDate", booking_date.map(|date| date.to_string()));
        }
        Detail::Agreement => {}
    }
    if record.key.kind != Kind::Refund {
        body.put_map("bearer", &view.bearer);
    }
    body.put_some("redirectUrl", view.redirect_url.as_deref());
}

fn payment(body: &mut Body, detail: &PaymentDetail) {
    body.put("payments", detail.payments.iter().map(item).collect::<Vec<_>>());
    body.put("chargebacks", detail.chargebacks.iter().map(chargeback).collect::<Vec<_>>());
    body.put_amount("refundedAmount", detail.refunded);
    body.put_amount("refundableAmount", detail.refundable);
    body.put_some("dueDate", detail.due_date.map(|date| date.to_string()));
}

fn item(item: &Item) -> Value {
    let mut body = Body::default();
    body.put("externalItemId", item.id.as_str());
    body.put("amount", number(item.amount));
    body.put("bookingDate", item.date.to_string());
    body.put_some("description", item.description.as_deref());
    Value::Object(body.0)
}

fn chargeback(chargeback: &BookedChargeback) -> Value {
    let mut body = Body::default();
    body.put("externalItemId", chargeback.id.as_str());
    body.put("amount", number(chargeback.amount));
    body.put("bookingDate", chargeback.date.to_string());
    body.put_some("feeAmount", chargeback.fee.map(number));
    let reason = chargeback.why.as_ref().map(|why| why.reason).unwrap_or_default();
    body.put("reason", format!("{reason:?}"));
    body.put_some("pspReasonCode", chargeback.why.as_ref().and_then(|why| why.psp_code.as_deref()));
    body.put_some("pspReasonMessage", chargeback.why.as_ref().and_then(|why| why.psp_message.as_deref()));
    Value::Object(body.0)
}

fn agreement_body(body: &mut Body, record: &Record, view: &View) {
    body.put("agreementId", record.key.id.as_str());
    body.put_some("pspAgreementId", view.psp_id.as_deref());
    body.put_some("currency", view.currency.map(|currency| currency.code()));
    body.put("status", view.status.name());
    body.put("lastUpdated", instant(record.last_updated));
    body.put_map("bearer", &view.bearer);
    body.put_some("redirectUrl", view.redirect_url.as_deref());
    if view.error.is_some() {
        body.put("error", error_body(view).0);
    }
}

fn payment_error(view: &View) -> Fetched {
    let mut body = error_body(view);
    body.put("status", view.status.name());
    Fetched { status: http_status(error_code(view)), body: Value::Object(body.0) }
}

fn error_code(view: &View) -> ErrorCode {
    view.error.as_ref().and_then(|error| error.code).unwrap_or(ErrorCode::UnmappedError)
}

/// The error. Its code is always there, although UnmappedError is the default: an error without one cannot be told from none.
fn error_body(view: &View) -> Body {
    let mut body = Body::default();
    body.put("errorCode", format!("{:?}", error_code(view)));
    body.put_some("errorMessage", view.error.as_ref().and_then(|error| error.message.as_deref()));
    body.put_some("pspErrorCode", view.error.as_ref().and_then(|error| error.psp_code.as_deref()));
    body.put_some("receivedAt", view.error_since.map(instant));
    body
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

/// The Integrator's own id of a record. It is derived from the record's key, and therefore the same on every relay.
#[must_use]
pub fn external_id(record: &Record) -> String {
    format!("{}-{}", record.key.kind, record.key.id)
}

/// A decimal as a JSON number, digit for digit.
#[must_use]
pub fn number(amount: Decimal) -> Value {
    // The text of a decimal is always a JSON number.
    amount.normalize().to_string().parse::<Number>().map_or(Value::Null, Value::Number)
}

/// An instant as `yyyy-MM-ddTHH:mm:ss.fffffffZ`, UTC with 7 decimals (contract, section 3).
#[must_use]
pub fn instant(at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    format!("{}.{:07}Z", at.strftime("%Y-%m-%dT%H:%M:%S"), at.subsec_nanosecond() / 100)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::attempt::Attempt;
    use crate::domain::ids::RecordKey;
    use crate::domain::record::{Registered, Seen};
    use crate::domain::stamp::{Stamp, Stamped};
    use crate::domain::status::{PspError, Status, StatusFact};

    #[test]
    fn instants_have_seven_decimals() {
        let at: Timestamp = "2022-11-08T18:23:45.0123456+01:00".parse().unwrap();
        assert_eq!(instant(at), "2022-11-08T17:23:45.0123456Z");
        assert_eq!(instant(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.0000000Z");
    }

    /// A record that the PSP's last word has brought into this state.
    fn ended(kind: Kind, status: Status, error: Option<PspError>) -> Record {
        let since = "2026-03-01T12:30:00Z".parse().unwrap();
        let fact = StatusFact { status, error, since, stands: status.is_success() };
        let stamp = Stamp { at: fact.since, rank: status.rank(kind), tie: "evt_1".to_owned() };
        Record {
            key: RecordKey::new(kind, "tx-1".parse().unwrap()),
            source: None,
            registered_at: Timestamp::UNIX_EPOCH,
            registered: Registered {
                requested_amount: Some(Decimal::TEN),
                currency: Some("EUR".parse().unwrap()),
                ..Registered::default()
            },
            seen: Seen {
                attempts: vec![Attempt { status: Some(Stamped { stamp, value: fact }), ..Attempt::default() }],
                ..Seen::default()
            },
            placed: Seen::default(),
            refunds: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            captures: BTreeMap::new(),
            version: 2,
            last_updated: Timestamp::UNIX_EPOCH,
        }
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
                let read = fetched(&ended(kind, status, None), None, failed_as);
                assert_eq!((read.status, &read.body["status"]), (200, &json!(status.name())), "{kind}");
                assert_eq!((&read.body["transactionId"], read.body.get("errorCode")), (&json!("tx-1"), None), "{kind}");
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
                let read = fetched(&record, None, FailedAs::Error);
                let named = error.as_ref().map(|_| json!("51"));
                assert_eq!((read.status, &read.body["errorCode"]), (http, &json!(code)), "{kind} {status:?}");
                assert_eq!(
                    (&read.body["status"], read.body.get("pspErrorCode")),
                    (&json!(status.name()), named.as_ref())
                );
                assert_eq!(read.body["receivedAt"], "2026-03-01T12:30:00.0000000Z");
                let read = fetched(&record, None, FailedAs::Record);
                assert_eq!((read.status, &read.body["status"]), (200, &json!(status.name())), "{kind}");
            }
        }
    }

    #[test]
    fn an_agreement_is_the_record_with_an_error_if_it_failed() {
        let read = |error| {
            let read = fetched(&ended(Kind::Agreement, Status::Inactive, error), None, FailedAs::Error);
            assert_eq!((read.status, &read.body["status"]), (200, &json!("Inactive")));
            read.body.get("error").cloned()
        };
        assert_eq!(read(None), None);
        let error = json!({
            "errorCode": "UnmappedError", "pspErrorCode": "51", "receivedAt": "2026-03-01T12:30:00.0000000Z",
        });
        assert_eq!(read(Some(failure(None))), Some(error));
    }

    #[test]
    fn amounts_are_numbers_digit_for_digit() {
        let text = |text: &str| number(text.parse().unwrap()).to_string();
        assert_eq!(text("89.25"), "89.25");
        assert_eq!(text("100.00"), "100");
        assert_eq!(text("0.1"), "0.1");
        assert_eq!(text("99999999999.99"), "99999999999.99");
    }
}
