//! The answer to Transform when it reads a record: the record, or the error in which it ended (contract, section 3).

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value, json};

use crate::domain::event::{Chargeback, Item};
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::status::{ErrorCode, Status};
use crate::domain::view::{Detail, PaymentDetail, View};

/// How Transform reads a failed, cancelled or expired transaction.
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

/// The answer to Transform when it reads this record.
#[must_use]
pub fn fetched(record: &Record, failed_as: FailedAs) -> Fetched {
    let view = View::of(record);
    if view.status.is_error() && failed_as == FailedAs::Error {
        return payment_error(&view);
    }
    let mut body = Body::default();
    if record.key.kind == Kind::Agreement {
        agreement(&mut body, record, &view);
    } else {
        transaction(&mut body, record, &view);
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

fn chargeback(chargeback: &Chargeback) -> Value {
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

fn agreement(body: &mut Body, record: &Record, view: &View) {
    body.put("agreementId", record.key.id.as_str());
    body.put_some("pspAgreementId", view.psp_id.as_deref());
    body.put_some("currency", view.currency.map(|currency| currency.code()));
    body.put("status", view.status.name());
    body.put("lastUpdated", instant(record.last_updated));
    body.put_map("bearer", &view.bearer);
    body.put_some("redirectUrl", view.redirect_url.as_deref());
    if let Some(error) = &view.error {
        body.put("error", error_body(view, error.code.unwrap_or(ErrorCode::UnmappedError)).0);
    }
}

fn payment_error(view: &View) -> Fetched {
    let mapped = view.error.as_ref().and_then(|error| error.code);
    let code = mapped.unwrap_or(match view.status {
        Status::Cancelled | Status::Expired => ErrorCode::Canceled,
        _ => ErrorCode::UnmappedError,
    });
    let mut body = error_body(view, code);
    body.put("status", view.status.name());
    Fetched { status: http_status(code), body: Value::Object(body.0) }
}

fn error_body(view: &View, code: ErrorCode) -> Body {
    let mut body = Body::default();
    body.put("errorCode", format!("{code:?}"));
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
    use super::*;

    #[test]
    fn instants_have_seven_decimals() {
        let at: Timestamp = "2022-11-08T18:23:45.0123456+01:00".parse().unwrap();
        assert_eq!(instant(at), "2022-11-08T17:23:45.0123456Z");
        assert_eq!(instant(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.0000000Z");
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
