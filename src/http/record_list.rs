//! Route GET /records: the records, in short, in the order in which they were registered.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::caller::must_be_integrator_or;
use super::page::{Entry, Page};
use super::problem::Problem;
use super::state::State;
use crate::access::operators::Role;
use crate::domain::ids::{Kind, TransformId};
use crate::domain::status::Status;
use crate::domain::text::shown;
use crate::domain::view::View;
use crate::store::ListedRecord;

/// A record, in short.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordEntry {
    /// The kind of the record.
    kind: Kind,
    /// Transform's id of the record.
    id: TransformId,
    /// The source whose events the record takes; null until a registration names it or its first event binds it.
    source: Option<String>,
    /// The PSP's id of the transaction, or of the agreement.
    psp_id: Option<String>,
    /// The state.
    status: Status,
    /// Refunds only: the payment that the refund gives back.
    payment_transaction_id: Option<TransformId>,
    /// The time of the registration.
    registered_at: Timestamp,
    /// The time of the version.
    last_updated: Timestamp,
}

impl From<ListedRecord> for RecordEntry {
    fn from(ListedRecord { record, .. }: ListedRecord) -> Self {
        let View { psp_id, status, .. } = View::of(&record);
        Self {
            kind: record.key.kind,
            id: record.key.id,
            source: record.source,
            psp_id,
            status,
            payment_transaction_id: record.registered.payment_id,
            registered_at: record.registered_at,
            last_updated: record.last_updated,
        }
    }
}

impl Entry for RecordEntry {
    type Row = ListedRecord;
    const LIST: &'static str = "records";

    fn cursor(row: &ListedRecord) -> i64 {
        row.cursor
    }
}

pub(super) async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    must_be_integrator_or(Role::Look, &request, &state, &state.in_force.load_full())?;
    let mut without_payment = false;
    let page = Page::with(&request, "payment, after and limit", |name, value| match (name, value) {
        ("payment", "unknown") => Ok(Some(!std::mem::replace(&mut without_payment, true))),
        ("payment", other) => {
            let must = "must be unknown: it chooses refunds whose payment is not registered";
            Err(Problem::new(400, format!("payment: is {}, but {must}", shown(other))))
        }
        _ => Ok(None),
    })?;
    let found = if without_payment {
        state.store.refunds_without_payment(page.after(), page.limit()).await?
    } else {
        state.store.records(page.after(), page.limit()).await?
    };
    Ok(page.reply::<RecordEntry>(found))
}
