//! The truth of an expected record: its registration by the payment stack, and the body that Transform must read in the end.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::expected::Expected;
use super::money::Currency;
use crate::domain::ids::Kind;

/// The reading that Transform must have in the end, apart from `lastUpdated`.
#[derive(Debug, Clone)]
pub(in crate::proof::soak) struct Truth {
    pub(in crate::proof::soak) kind: Kind,
    pub(in crate::proof::soak) id: String,
    /// The record.
    pub(in crate::proof::soak) record: Value,
    /// The HTTP status and the body that Transform reads instead, if the record has failed and errors are shown.
    pub(in crate::proof::soak) error: Option<(u16, Value)>,
    /// Whether more was given back than was paid, which is a finding.
    pub(in crate::proof::soak) is_over_refunded: bool,
}

impl Expected {
    /// The body of `PUT /records/{kind}/{id}`.
    pub(super) fn registration(&self, source: &str) -> Value {
        let mut body = Fields::default();
        body.put("source", source);
        body.put_some("currency", self.currency.map(|currency| currency.code));
        if self.kind != Kind::Agreement {
            body.put_some("requestedAmount", self.currency.map(|currency| currency.major(self.requested)));
        }
        let psp_id = if self.kind == Kind::Agreement { "pspAgreementId" } else { "pspTransactionId" };
        body.put_some(psp_id, self.registered_psp_id.as_deref());
        let parent = if self.kind == Kind::Refund { "paymentTransactionId" } else { "preauthTransactionId" };
        body.put_some(parent, self.parent.as_deref());
        body.put_some("agreementId", self.agreement.as_deref());
        if !self.bearer.is_empty() {
            body.put("bearer", json!(self.bearer));
        }
        body.put_some("redirectUrl", self.redirect_url.as_deref());
        body.put_some("dueDate", self.due_date.as_deref());
        Value::Object(body.0)
    }

    pub(super) fn truth(&self) -> Truth {
        let status = self.status();
        let error = (status == "Failed").then(|| self.error());
        let record = if self.kind == Kind::Agreement { self.agreement() } else { self.transaction(status) };
        let is_over_refunded = self.kind == Kind::Payment && status == "Succeeded" && self.given_back > self.paid();
        Truth { kind: self.kind, id: self.id.clone(), record, error, is_over_refunded }
    }

    fn status(&self) -> &'static str {
        let named = self.state().name;
        match (self.kind, self.paid()) {
            (Kind::Payment, paid) if paid >= self.requested => "Succeeded",
            (Kind::Payment, paid) if paid > 0 => "Pending",
            // Only the rest of the reservation has ended.
            (Kind::Preauth, _) if self.captured > 0 && matches!(named, "Cancelled" | "Expired") => "Succeeded",
            _ => named,
        }
    }

    fn authorized(&self) -> i64 {
        match self.state().name {
            "Succeeded" => self.standing().map(|attempt| attempt.authorized).sum(),
            _ => self.captured,
        }
    }

    fn transaction(&self, status: &'static str) -> Value {
        let currency = self.currency.unwrap_or_default();
        let mut body = Fields::default();
        body.put("transactionId", self.id.as_str());
        body.put("externalTransactionId", format!("{}-{}", self.kind.name(), self.id));
        body.put_some("pspTransactionId", self.psp_id());
        body.put("currency", currency.code);
        body.put("requestedAmount", currency.major(self.requested));
        body.put("status", status);
        match self.kind {
            Kind::Preauth => {
                let authorized = (status == "Succeeded").then(|| self.authorized());
                body.put_amount("authorizedAmount", currency, authorized);
                body.put_some("expiresAt", self.leading().and_then(|attempt| attempt.expires_at).map(instant));
            }
            Kind::Payment => self.payment(&mut body, currency),
            Kind::Refund => {
                let given_back = (status == "Succeeded").then(|| self.refunded());
                body.put_amount("refundedAmount", currency, given_back);
                body.put_some("bookingDate", given_back.map(|_| date(self.state().since)));
            }
            Kind::Agreement => {}
        }
        if self.kind != Kind::Refund {
            self.put_bearer(&mut body);
        }
        body.put_some("redirectUrl", self.redirect_url.as_deref());
        Value::Object(body.0)
    }

    fn payment(&self, body: &mut Fields, currency: Currency) {
        let bookings = self.bookings.iter().map(|(id, booking)| {
            json!({"externalItemId": id, "amount": currency.major(booking.amount), "bookingDate": date(booking.at)})
        });
        body.put("payments", bookings.collect::<Vec<_>>());
        let gone: Vec<_> =
            self.disputes.iter().filter_map(|(id, dispute)| Some((id, dispute, dispute.gone?))).collect();
        let chargebacks = gone.iter().map(|(id, dispute, at)| {
            let mut body = Fields::default();
            body.put("externalItemId", id.as_str());
            body.put("amount", currency.major(dispute.amount));
            body.put("bookingDate", date(*at));
            body.put_some("description", dispute.psp_message.as_deref());
            body.put_some("feeAmount", dispute.fee.map(|fee| currency.major(fee)));
            body.put("reason", if dispute.reason.is_empty() { "Unknown" } else { dispute.reason });
            body.put_some("pspReasonCode", dispute.psp_code.as_deref());
            body.put_some("pspReasonMessage", dispute.psp_message.as_deref());
            Value::Object(body.0)
        });
        body.put("chargebacks", chargebacks.collect::<Vec<_>>());
        let charged_back: i64 = gone.iter().map(|(_, dispute, _)| dispute.amount).sum();
        // More may be given back than was paid. The contract knows no such amounts.
        let given_back = self.given_back.min(self.paid());
        body.put_amount("refundedAmount", currency, Some(given_back));
        body.put_amount("refundableAmount", currency, Some(self.paid() - given_back - charged_back));
        body.put_some("dueDate", self.due_date.as_deref().map(|day| format!("{day}T00:00:00.0000000Z")));
    }

    fn agreement(&self) -> Value {
        let mut body = Fields::default();
        body.put("agreementId", self.id.as_str());
        body.put_some("pspAgreementId", self.psp_id());
        body.put_some("currency", self.currency.map(|currency| currency.code));
        body.put("status", self.state().name);
        self.put_bearer(&mut body);
        body.put_some("redirectUrl", self.redirect_url.as_deref());
        if self.state().why.code.is_some() || self.state().why.psp_code.is_some() {
            body.put("error", Value::Object(self.why().0));
        }
        Value::Object(body.0)
    }

    fn error(&self) -> (u16, Value) {
        let mut body = self.why();
        body.put("status", "Failed");
        let http = match self.code() {
            "LimitExceeded" => 429,
            "UnmappedError" | "AlreadyExecuted" | "InternalProviderError" | "PSPConnectionTimeout" => 500,
            _ => 422,
        };
        (http, Value::Object(body.0))
    }

    fn code(&self) -> &'static str {
        self.state().why.code.unwrap_or("UnmappedError")
    }

    fn why(&self) -> Fields {
        let mut body = Fields::default();
        body.put("errorCode", self.code());
        body.put_some("errorMessage", self.state().why.message.as_deref());
        body.put_some("pspErrorCode", self.state().why.psp_code.as_deref());
        body
    }

    fn put_bearer(&self, body: &mut Fields) {
        let bearer = self.shown_bearer();
        if !bearer.is_empty() {
            body.put("bearer", json!(bearer));
        }
    }
}

/// A body that Transform has read, without the relay's own times: those of its version, and the day of a refund that has not
/// succeeded.
pub(in crate::proof::soak) fn undated(mut body: Value) -> Value {
    let is_open = body["status"] != "Succeeded";
    if let Some(fields) = body.as_object_mut() {
        fields.shift_remove("lastUpdated");
        fields.shift_remove("receivedAt");
        if is_open {
            fields.shift_remove("bookingDate");
        }
        if let Some(error) = fields.get_mut("error").and_then(Value::as_object_mut) {
            error.shift_remove("receivedAt");
        }
    }
    body
}

/// The UTC day.
pub(super) fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

fn instant(at: Timestamp) -> String {
    let zoned = at.to_zoned(TimeZone::UTC);
    format!("{}.{:06}0Z", zoned.strftime("%Y-%m-%dT%H:%M:%S"), zoned.subsec_nanosecond() / 1000)
}

/// A JSON object in the making.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// Adds an amount, unless it is 0.
    fn put_amount(&mut self, name: &str, currency: Currency, amount: Option<i64>) {
        if let Some(amount) = amount.filter(|amount| *amount > 0) {
            self.put(name, currency.major(amount));
        }
    }
}
