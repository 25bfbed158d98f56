//! Lists for the integrator: parked events, findings, dead letters, deliveries given up, and the history of a record.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::must_be_integrator;
use super::problem::Problem;
use super::records::key;
use super::state::State;

/// The number of entries on a page: the default, and the most that a query may ask for.
const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// The query that selects a page of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    source: Option<String>,
    after: Option<i64>,
    limit: Option<u32>,
}

impl Page {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let page = web::Query::<Self>::from_query(request.query_string());
        let page = page.map_err(|error| Problem::new(400, format!("query: {error}")))?.into_inner();
        match page.limit {
            Some(limit) if !(1..=PAGE_MAX).contains(&limit) => {
                Err(Problem::new(400, format!("limit: must be from 1 to {PAGE_MAX}")))
            }
            _ => Ok(page),
        }
    }

    fn limit(&self) -> u32 {
        self.limit.unwrap_or(PAGE)
    }

    /// The cursor at which the next page begins; none after the last page.
    fn next<T>(&self, entries: &[T], cursor: impl Fn(&T) -> i64) -> Option<i64> {
        let full = u32::try_from(entries.len()).is_ok_and(|count| count == self.limit());
        entries.last().filter(|_| full).map(cursor)
    }
}

pub(super) async fn parked(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    must_be_integrator(&request, &state, &state.in_force.load_full())?;
    let page = Page::of(&request)?;
    let parked = state.store.parked(page.source.clone(), page.after.unwrap_or_default(), page.limit()).await?;
    let entries: Vec<Value> = parked
        .iter()
        .map(|event| {
            json!({
                "notification": event.notification.to_string(),
                "source": event.source,
                "parkedAt": event.parked_at.to_string(),
                "type": event.event_type,
                "waitsFor": event.waits_for,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"parked": entries, "next": page.next(&parked, |event| event.cursor)})))
}

pub(super) async fn findings(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    must_be_integrator(&request, &state, &state.in_force.load_full())?;
    let page = Page::of(&request)?;
    let found = state.store.findings(page.source.clone(), page.after.unwrap_or_default(), page.limit()).await?;
    let entries: Vec<Value> = found
        .iter()
        .map(|finding| {
            json!({
                "finding": finding.what.name(),
                "source": finding.source,
                "type": finding.event_type,
                "count": finding.count,
                "notification": finding.notification.map(|id| id.to_string()),
                "record": finding.record.as_ref().map(|key| json!({"kind": key.kind.name(), "id": key.id.as_str()})),
                "missing": finding.missing,
                "firstAt": finding.first_at.to_string(),
                "lastAt": finding.last_at.to_string(),
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"findings": entries, "next": page.next(&found, |finding| finding.cursor)})))
}

pub(super) async fn dead_letters(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let page = page_of_all_sources(&request, &state)?;
    let letters = state.store.dead_letters(page.after.unwrap_or_default(), page.limit()).await?;
    let entries: Vec<Value> = letters
        .iter()
        .map(|letter| {
            json!({
                "notification": letter.notification.to_string(),
                "source": letter.source,
                "receivedAt": letter.received_at.to_string(),
                "reason": letter.reason,
            })
        })
        .collect();
    let next = page.next(&letters, |letter| letter.cursor);
    Ok(HttpResponse::Ok().json(json!({"notifications": entries, "next": next})))
}

pub(super) async fn given_up(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let page = page_of_all_sources(&request, &state)?;
    let given_up = state.store.given_up(page.after.unwrap_or_default(), page.limit()).await?;
    let entries: Vec<Value> = given_up
        .iter()
        .map(|delivery| {
            json!({
                "kind": delivery.key.kind.name(),
                "id": delivery.key.id.as_str(),
                "version": delivery.version,
                "givenUpAt": delivery.at.to_string(),
                "attempts": delivery.attempts,
                "reason": delivery.reason,
            })
        })
        .collect();
    let next = page.next(&given_up, |delivery| delivery.cursor);
    Ok(HttpResponse::Ok().json(json!({"deliveries": entries, "next": next})))
}

fn page_of_all_sources(request: &HttpRequest, state: &State) -> Result<Page, Problem> {
    must_be_integrator(request, state, &state.in_force.load_full())?;
    let page = Page::of(request)?;
    if page.source.is_some() {
        return Err(Problem::new(400, "source: this list has the entries of all sources and takes no source"));
    }
    Ok(page)
}

pub(super) async fn history(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    must_be_integrator(&request, &state, &state.in_force.load_full())?;
    let key = key(path.into_inner())?;
    let history = state.store.history(key.clone(), PAGE).await?;
    let history = history.ok_or_else(|| Problem::new(404, format!("{key} is not registered")))?;
    let versions: Vec<Value> = history
        .versions
        .iter()
        .map(|made| {
            json!({
                "version": made.version,
                "at": made.at.to_string(),
                "notification": made.notification.map(|id| id.to_string()),
                "type": made.event_type,
                "status": made.status,
            })
        })
        .collect();
    let attempts: Vec<Value> = history
        .attempts
        .iter()
        .map(|made| {
            json!({
                "version": made.version,
                "at": made.at.to_string(),
                "milliseconds": made.millis,
                "failure": made.failure,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"versions": versions, "attempts": attempts})))
}
