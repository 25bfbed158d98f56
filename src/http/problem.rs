//! Problem details (RFC 9457): the one map from errors to answers.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use schemars::JsonSchema;
use serde::Serialize;

use super::why::{STORE, Why};
use crate::domain::registration::Refusal;
use crate::domain::text::{masked, unquoted};
use crate::store::{RegisterError, StoreError};

/// An error as integrators and Transform read it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status}: {detail}")]
pub(crate) struct Problem {
    status: u16,
    detail: String,
    field: Option<String>,
    /// The time after which the client may ask again, in seconds.
    retry_after: Option<u64>,
    /// What a 401 asks for.
    asks_for: AskedFor,
    /// The reason for the log; none if the answer says the same.
    why: Option<Box<Why>>,
}

/// Problem details, RFC 9457.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Details<'a> {
    /// Always about:blank: the status says it all.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "about:blank"))]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// The fault.
    detail: &'a str,
    /// 409 and 422: the field of the body that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

/// The media type of a problem detail.
pub(super) const PROBLEM: &str = "application/problem+json";
/// The time after which a client is asked to come again, in seconds.
pub(super) const RETRY_AFTER_S: &str = "1";

/// What a 401 asks for.
#[derive(Debug, Clone, Copy)]
enum AskedFor {
    Credentials,
    /// No list of schemes has it, but a 401 must name one (RFC 9110, section 15.5.2).
    Signature,
}

impl AskedFor {
    const fn challenge(self) -> &'static str {
        match self {
            Self::Credentials => "Bearer, Basic realm=\"transform-relay\"",
            Self::Signature => "Signature realm=\"transform-relay\"",
        }
    }
}

impl Problem {
    pub(crate) fn new(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            field: None,
            retry_after: None,
            asks_for: AskedFor::Credentials,
            why: None,
        }
    }

    /// Adds the reason for the operator. The caller does not learn it.
    #[must_use]
    pub(super) fn because(self, kind: &'static str, reason: impl Into<String>) -> Self {
        Self { why: Some(Box::new(Why::new(kind, reason))), ..self }
    }

    /// Adds the operator who was refused, for the log.
    #[must_use]
    pub(super) fn by(self, operator: Option<&str>) -> Self {
        let operator = operator.map(str::to_owned);
        Self { why: self.why.map(|why| Box::new(Why { operator, ..*why })), ..self }
    }

    /// The same refusal with a clause more, if it has this status.
    #[must_use]
    pub(super) fn but(self, status: u16, clause: &str) -> Self {
        if self.status == status { Self { detail: format!("{}, {clause}", self.detail), ..self } } else { self }
    }

    /// The same refusal with another status.
    #[must_use]
    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The refusal of a field of the body that is wrong by itself.
    pub(crate) fn field(field: &str, reason: &str) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(422, format!("{field}: {reason}")) }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "no or wrong credentials")
    }

    /// The refusal of a notification that its PSP has not signed. No scheme of credentials would help.
    pub(super) fn unsigned() -> Self {
        Self { asks_for: AskedFor::Signature, ..Self::unauthorized() }
    }

    /// The refusal of wrong credentials from an address that has shown too many.
    pub(crate) fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(1);
        Self { retry_after: Some(seconds), ..Self::new(429, "wrong credentials too often") }
    }

    /// The text of the answer for the log, without the value of a field that is a text: it may be the payer's.
    fn as_said(&self, status: StatusCode) -> Why {
        let detail = masked(&self.detail);
        let reason = if self.field.is_some() { unquoted(&detail) } else { detail };
        Why::new(status.canonical_reason().unwrap_or("Error"), reason)
    }

    pub(crate) fn response(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponseBuilder::new(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header(("Retry-After", RETRY_AFTER_S));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header(("Retry-After", seconds.to_string()));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", self.asks_for.challenge()));
        }
        let mut response = response.content_type(PROBLEM).json(self.details());
        response.extensions_mut().insert(self.why());
        response.extensions_mut().insert(self.clone());
        response
    }

    /// The reason of the refusal, as the log says it.
    pub(super) fn why(&self) -> Why {
        let status = || StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.why.as_deref().cloned().unwrap_or_else(|| self.as_said(status()))
    }

    /// The status of the answer.
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    /// The body of the answer.
    pub(super) fn details(&self) -> Details<'_> {
        Details {
            kind: "about:blank",
            title: StatusCode::from_u16(self.status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .unwrap_or("Error"),
            status: self.status,
            detail: &self.detail,
            field: self.field.as_deref(),
        }
    }

    /// The text of the answer for the client.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

/// The refusal of a method that a route does not take.
pub(super) fn method_not_allowed(allow: &'static str) -> HttpResponse {
    let mut response = Problem::new(405, format!("this route takes {allow}")).response();
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allow));
    response
}

impl From<StoreError> for Problem {
    /// The reason is for the operator: the log and /readyz give it.
    fn from(error: StoreError) -> Self {
        Self::new(503, "the store cannot do this now").because(STORE, error.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = if refusal.conflict { 409 } else { 422 };
        Self { field: Some(refusal.field.to_owned()), ..Self::new(status, refusal.to_string()) }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Refused(refusal) => refusal.into(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}
