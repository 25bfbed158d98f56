//! Lists for the integrator: parked events, findings, dead letters and deliveries given up.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::caller::must_be_operator;
use super::page::{Entry, Page};
use super::problem::Problem;
use super::state::State;
use crate::access::operators::Role;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::store::{DeadLetter, Finding, FindingKind, GivenUp, GivenUpSought, ParkedEvent};

/// An event that waits for its record.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parked {
    /// The notification with the event.
    notification: Uuid,
    /// The source that it came by.
    source: String,
    /// The time since which it waits.
    parked_at: Timestamp,
    /// The PSP's name for what happened.
    #[serde(rename = "type")]
    event_type: String,
    /// The keys that would release it; any one of them is enough. Events that came along with another event wait in silence, in
    /// no list.
    ///
    /// - `record:ID`: the registration of that Transform id
    /// - `psp:KIND:ID`: the registration of a record of that kind with that PSP id
    /// - `captures:ID`: the registration of a payment that captures that preauthorization
    /// - `captured:ID`: an event that tells that a payment captured the authorization with that PSP id
    waits_for: Vec<String>,
}

impl From<ParkedEvent> for Parked {
    fn from(event: ParkedEvent) -> Self {
        let ParkedEvent { notification, source, parked_at, event_type, waits_for, .. } = event;
        Self { notification, source, parked_at, event_type, waits_for }
    }
}

impl Entry for Parked {
    type Row = ParkedEvent;
    const LIST: &'static str = "parked";

    fn cursor(row: &ParkedEvent) -> i64 {
        row.cursor
    }
}

pub(super) async fn parked(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    must_be_operator(Role::Look, &request, &state, &state.in_force.load_full())?;
    let page = Page::of(&request)?;
    let found = state.store.parked(page.source.clone(), page.after(), page.limit()).await?;
    Ok(page.reply::<Parked>(found))
}

/// Something that somebody should look at.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Finding")]
pub(super) struct Found {
    /// The kind of the finding.
    finding: FindingKind,
    /// The source of the notifications; empty if the record is not bound to one.
    source: String,
    /// The PSP's name for what happened. It is `(others)` if the source has too many findings of the kind: `count` is the
    /// number of those that have no finding of their own.
    #[serde(rename = "type")]
    event_type: String,
    /// The number of messages, or of events that still wait.
    #[schemars(range(min = 1))]
    count: u64,
    /// The latest of the notifications; null if nobody but a registration caused the finding.
    notification: Option<Uuid>,
    /// The registered record that the latest notification names.
    record: Option<Named>,
    /// The rule, the setting or the registration that is missing.
    missing: Option<String>,
    /// The time of the first.
    first_at: Timestamp,
    /// The time of the latest.
    last_at: Timestamp,
}

/// The name of a record.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecordName")]
pub(super) struct Named {
    /// The kind of the record.
    kind: Kind,
    /// Transform's id of the record.
    id: TransformId,
}

impl From<RecordKey> for Named {
    fn from(key: RecordKey) -> Self {
        Self { kind: key.kind, id: key.id }
    }
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        let Finding { what, source, event_type, count, notification, missing, first_at, last_at, .. } = finding;
        let record = finding.record.map(Named::from);
        Self { finding: what, source, event_type, count, notification, record, missing, first_at, last_at }
    }
}

impl Entry for Found {
    type Row = Finding;
    const LIST: &'static str = "findings";

    fn cursor(row: &Finding) -> i64 {
        row.cursor
    }
}

pub(super) async fn findings(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    must_be_operator(Role::Look, &request, &state, &state.in_force.load_full())?;
    let page = Page::of(&request)?;
    let found = state.store.findings(page.source.clone(), page.after(), page.limit()).await?;
    Ok(page.reply::<Found>(found))
}

/// A notification that came to nothing.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeadLetter")]
pub(super) struct Letter {
    /// The notification's id with the relay.
    notification: Uuid,
    /// The source that it came by.
    source: String,
    /// The time of its receipt.
    received_at: Timestamp,
    /// The reason why it came to nothing.
    reason: String,
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { notification, source, received_at, reason, .. } = letter;
        Self { notification, source, received_at, reason }
    }
}

impl Entry for Letter {
    type Row = DeadLetter;
    const LIST: &'static str = "notifications";

    fn cursor(row: &DeadLetter) -> i64 {
        row.cursor
    }
}

pub(super) async fn dead_letters(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    must_be_operator(Role::Look, &request, &state, &state.in_force.load_full())?;
    let page = Page::of_all_sources(&request)?;
    let found = state.store.dead_letters(page.after(), page.limit()).await?;
    Ok(page.reply::<Letter>(found))
}

/// A delivery that was given up.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "GivenUp")]
pub(super) struct Undelivered {
    /// The kind of the record.
    kind: Kind,
    /// Transform's id of the record.
    id: TransformId,
    /// The version that the attempts told of.
    version: u64,
    /// The time at which the delivery was given up.
    given_up_at: Timestamp,
    /// The number of attempts.
    attempts: u32,
    /// The reason why the last attempt failed.
    reason: String,
    /// The host of that attempt, with its port. Null if no host may be called, or if an earlier version gave it up.
    host: Option<String>,
}

impl From<GivenUp> for Undelivered {
    fn from(delivery: GivenUp) -> Self {
        let GivenUp { key, version, at, attempts, reason, host, .. } = delivery;
        Self { kind: key.kind, id: key.id, version, given_up_at: at, attempts, reason, host }
    }
}

impl Entry for Undelivered {
    type Row = GivenUp;
    const LIST: &'static str = "deliveries";

    fn cursor(row: &GivenUp) -> i64 {
        row.cursor
    }
}

pub(super) async fn given_up(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    must_be_operator(Role::Look, &request, &state, &state.in_force.load_full())?;
    let page = Page::of_all_sources(&request)?;
    let found = state.store.given_up(GivenUpSought::default(), page.after(), page.limit()).await?;
    Ok(page.reply::<Undelivered>(found))
}
