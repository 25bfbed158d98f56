//! The contender with one transaction for each request: it verifies the signature, parses the event, and commits the notification
//! with its record and its outbox row. It is as durable as the relay, and does not commit in groups.

use std::path::Path;
use std::sync::{Arc, Mutex};

use actix_web::{HttpRequest, HttpResponse, web};
use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;
use sha2::Sha256;

use super::no_op::served;
use super::wire::SECRET;
use crate::proof::lock::lock;

/// The name of its store in its folder.
const STORE: &str = "contender.db";

const SCHEMA: &str = "
CREATE TABLE notifications (id TEXT NOT NULL PRIMARY KEY, signature TEXT NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE records (id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (record TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

type Shared = Arc<Mutex<Connection>>;

/// Serves until the process is killed.
pub(super) async fn serve(folder: &Path) -> anyhow::Result<()> {
    let connection = Connection::open(folder.join(STORE)).context("the contender's store cannot be made")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(SCHEMA)?;
    let store: Shared = Arc::new(Mutex::new(connection));
    served(move |config| {
        config.app_data(web::Data::new(Arc::clone(&store))).default_service(web::to(take));
    })
    .await
}

async fn take(request: HttpRequest, body: web::Bytes, store: web::Data<Shared>) -> HttpResponse {
    let signature = request.headers().get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !holds(signature, &body) {
        return HttpResponse::Unauthorized().finish();
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else { return HttpResponse::BadRequest().finish() };
    let (signature, store) = (signature.to_owned(), Arc::clone(&store));
    match web::block(move || keep(&mut lock(&store), &signature, &event, &body)).await {
        Ok(Ok(())) => HttpResponse::Ok().finish(),
        _ => HttpResponse::ServiceUnavailable().finish(),
    }
}

/// Whether a signature of Stripe holds: `t=…,v1=…`.
fn holds(signature: &str, body: &[u8]) -> bool {
    let part = |name| signature.split(',').find_map(|part| part.strip_prefix(name));
    let (Some(time), Some(Ok(theirs))) = (part("t="), part("v1=").map(hex::decode)) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else { return false };
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&theirs).is_ok()
}

fn keep(connection: &mut Connection, signature: &str, event: &Value, body: &[u8]) -> rusqlite::Result<()> {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (id, record) = (text("/id"), text("/data/object/id"));
    let state = event.pointer("/data/object").map(Value::to_string).unwrap_or_default();
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached("INSERT INTO notifications VALUES (?1, ?2, ?3)")?;
        insert.execute(params![id, signature, body])?;
        let record_of =
            "INSERT INTO records VALUES (?1, 1, ?2) ON CONFLICT DO UPDATE SET version = version + 1, record = ?2";
        transaction.prepare_cached(record_of)?.execute(params![record, state])?;
        let owed = "INSERT INTO outbox VALUES (?1, 1) ON CONFLICT DO UPDATE SET version = version + 1";
        transaction.prepare_cached(owed)?.execute(params![record])?;
    }
    transaction.commit()
}

/// The number of notifications in the store in this folder.
pub(super) fn stored(folder: &Path) -> rusqlite::Result<i64> {
    let connection = Connection::open_with_flags(folder.join(STORE), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.query_row("SELECT count(*) FROM notifications", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_kept_once_with_its_record_and_its_outbox_row() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let event = |id: &str| serde_json::json!({"id": id, "data": {"object": {"id": "pi_1"}}});
        keep(&mut connection, "t", &event("evt_1"), b"body").unwrap();
        keep(&mut connection, "t", &event("evt_2"), b"body").unwrap();
        assert!(keep(&mut connection, "t", &event("evt_2"), b"body").is_err());
        let counts =
            "SELECT (SELECT count(*) FROM notifications), (SELECT version FROM records), (SELECT version FROM outbox)";
        let found: (i64, i64, i64) =
            connection.query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        assert_eq!(found, (2, 2, 2));
    }

    #[test]
    fn a_wrong_signature_is_refused() {
        let body = br#"{"id":"evt_1"}"#;
        let psp = crate::proof::stand_in::Psp::new("stripe", "stripe", SECRET).unwrap();
        let signed = psp.sign(None, body, jiff::Timestamp::now()).unwrap();
        let (_, signature) = &signed.headers[0];
        assert!(holds(signature, body) && !holds(signature, b"other") && !holds("", body));
    }
}
