//! The soak's final check: Transform's records and the store's rows against the truth.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::hostile;
use super::ledger::Entries;
use super::lives::{Fate, Truth, undated};
use super::transform::Transform;
use super::world::World;
use crate::proof::stand_in::{Relay, STACK_TOKEN};
use crate::store::encoding::json_of;
use crate::store::encoding::notification::unpack;

/// The longest time from the end of the last fault until Transform has been told of everything.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until every notification is acknowledged and Transform is owed nothing.
pub(super) async fn settles(world: &World, relay: &Relay) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let began = Instant::now();
    let mut at_rest = 0;
    while began.elapsed() < PATIENCE {
        let open = world.count.open.load(Ordering::Relaxed);
        at_rest = if open == 0 && owed(&client, relay).await == Some(0) { at_rest + 1 } else { 0 };
        // The two numbers are read one after the other, and something may happen between. So two looks in a row must find
        // rest.
        if at_rest == 2 {
            return Ok(());
        }
        if let Some(code) = relay.ended() {
            world.violated(format!("the relay ended by itself: exit code {code:?}"));
            relay.start().await?;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let open = world.count.open.load(Ordering::Relaxed);
    let owed = owed(&client, relay).await;
    world.violated(format!(
        "{PATIENCE:?} after the last fault, {open} steps are still open, and Transform is owed {owed:?} records"
    ));
    Ok(())
}

/// The number of records owed to Transform, as /readyz says.
pub(super) async fn owed(client: &reqwest::Client, relay: &Relay) -> Option<u64> {
    let ready = client.get(format!("http://{}/readyz", relay.address()?)).bearer_auth(STACK_TOKEN);
    let ready = ready.send().await.ok()?.text().await.ok()?;
    serde_json::from_str::<Value>(&ready).ok()?["owed"].as_u64()
}

/// Checks each record: Transform's last reading and a reading now must both be the truth. With `as_error` the relay shows
/// failed records as errors.
pub(super) async fn truths(
    world: &World,
    transform: &Transform,
    truths: &[(Arc<str>, Truth)],
    as_error: bool,
) -> anyhow::Result<()> {
    let held = transform.held();
    for (label, truth) in truths {
        let key = (truth.kind.code(), truth.id.clone());
        let name = format!("{} {} ({label})", truth.kind.name(), truth.id);
        let (status, expected) = match &truth.error {
            Some((status, error)) if as_error => (*status, error),
            _ => (200, &truth.record),
        };
        match held.get(&key) {
            None => world.violated(format!("{name}: Transform never heard of it")),
            Some(held) if differs((held.status, &held.body), (status, expected)) => world.violated(format!(
                "{name}: Transform holds {} {}, the truth is {status} {expected}",
                held.status, held.body
            )),
            Some(_) => {}
        }
        match transform.fetch(&key).await {
            Ok((found, body)) if differs((found, &body), (status, expected)) => {
                world.violated(format!("{name}: the relay answers {found} {body}, the truth is {status} {expected}"));
            }
            Ok((_, body)) => {
                if let Some(what) = held.get(&key).and_then(|held| held.contradicts(&body)) {
                    world.violated(format!("{name}: in the end {what}"));
                }
            }
            Err(error) => world.violated(format!("{name}: cannot be read in the end: {error:?}")),
        }
    }
    Ok(())
}

/// Checks that `GET /findings` lists the payments of which more was given back than was paid, and nothing else.
pub(super) async fn findings(world: &World, relay: &Relay, truths: &[(Arc<str>, Truth)]) -> anyhow::Result<()> {
    let over = truths.iter().filter(|(_, truth)| truth.is_over_refunded);
    let mut expected: HashMap<&str, &str> = over.map(|(label, truth)| (truth.id.as_str(), &**label)).collect();
    let (client, mut next) = (reqwest::Client::builder().no_proxy().build()?, Some(0));
    while let Some(after) = next {
        let address = relay.address().context("the relay does not listen")?;
        let asked = client.get(format!("http://{address}/findings?limit=1000&after={after}")).bearer_auth(STACK_TOKEN);
        let page: Value = serde_json::from_str(&asked.send().await?.error_for_status()?.text().await?)?;
        for finding in page["findings"].as_array().into_iter().flatten() {
            // The strangers' notifications have no truth.
            if hostile::SOURCES.iter().any(|source| finding["source"] == *source) {
                continue;
            }
            // Its notification is a dead letter, and the inbox is checked for having no others than it should.
            if finding["finding"] == "taken_back" {
                continue;
            }
            let id = finding["record"]["id"].as_str().unwrap_or_default();
            if finding["finding"] != "over_refunded" || expected.remove(id).is_none() {
                world.violated(format!("a finding that is not true: {finding}"));
            }
        }
        next = page["next"].as_i64();
    }
    for (id, label) in expected {
        world.violated(format!("payment {id} ({label}): it is over-refunded, but no finding says so"));
    }
    Ok(())
}

fn differs((status, body): (u16, &Value), expected: (u16, &Value)) -> bool {
    (status, &undated(body.clone())) != expected
}

/// A row of the inbox.
struct Row {
    outcome: String,
    repeats: u64,
}

/// Checks that the inbox has every acknowledged notification exactly once, with its expected outcome, and nothing else.
pub(super) fn inbox(world: &World, database: &Path, entries: &Entries) -> anyhow::Result<()> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| format!("cannot read {}", database.display()))?;
    let mut rows: HashMap<(String, Vec<u8>), Row> = HashMap::new();
    let mut select = connection
        .prepare("SELECT source, body, outcome, repeats, headers, packing FROM notifications WHERE hint = 0")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let body = unpack(row.get(5)?, row.get_ref(4)?.as_str()?, row.get_ref(1)?.as_blob()?);
        let (_, body) = body.map_err(|error| anyhow!("a notification in the inbox cannot be read: {error}"))?;
        let key: (String, Vec<u8>) = (row.get(0)?, body);
        if hostile::SOURCES.contains(&key.0.as_str()) {
            continue;
        }
        let repeats: i64 = row.get(3)?;
        let inside = Row { outcome: row.get(2)?, repeats: repeats.unsigned_abs() };
        let (source, body) = (key.0.clone(), text(&key.1));
        if rows.insert(key, inside).is_some() {
            world.violated(format!("{source}: one notification is in the inbox twice: {body}"));
        }
    }
    let mut stray = 0_usize;
    for ((source, body), entry) in entries {
        let name = || format!("{source}: {} ({})", text(body), entry.label);
        if entry.fate == Fate::Parked {
            stray += 1;
        }
        let Some(row) = rows.remove(&((*source).to_owned(), body.clone())) else {
            if entry.acknowledged > 0 {
                world.violated(format!("acknowledged, but not in the inbox: {}", name()));
            }
            continue;
        };
        let expected: &[&str] = match entry.fate {
            Fate::Reaches => &["applied", "repeated", "stale"],
            Fate::Ignored => &["ignored"],
            Fate::DeadLetter => &["dead_letter"],
            Fate::Parked => &["parked"],
        };
        if !expected.contains(&row.outcome.as_str()) {
            world.violated(format!("its outcome is {}, not one of {expected:?}: {}", row.outcome, name()));
        }
        let (least, most) = (entry.acknowledged.saturating_sub(1), entry.sent.saturating_sub(1));
        if !(least..=most).contains(&row.repeats) {
            let counted = format!("sent {} times, acknowledged {}", entry.sent, entry.acknowledged);
            world.violated(format!("{counted}, but {} repeats are counted: {}", row.repeats, name()));
        }
    }
    for (source, body) in rows.keys() {
        world.violated(format!("{source}: in the inbox, but no PSP sent it: {}", text(body)));
    }
    waiting(world, &connection, stray)
}

/// Checks that as many events are parked as expected, that nothing is owed, and that the database is sound.
fn waiting(world: &World, connection: &Connection, stray: usize) -> anyhow::Result<()> {
    // Events with a reason wait in silence: they came along with others, and nobody misses them.
    let mut select = connection.prepare(
        "SELECT p.event, n.outcome FROM parked p LEFT JOIN notifications n ON n.id = p.notification WHERE p.reason IS NULL",
    )?;
    let parked: Vec<(Result<String, String>, Option<String>)> = select
        .query_map([], |row| Ok((json_of(row.get_ref(0)?.as_bytes()?), row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if parked.len() != stray {
        let first: Vec<_> = parked.iter().take(3).collect();
        world.violated(format!("{} events are parked instead of {stray}; the first: {first:?}", parked.len()));
    }
    let owed: i64 = connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?;
    if owed > 0 {
        world.violated(format!("{owed} records are still in the outbox"));
    }
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        world.violated(format!("the database is not sound: {sound}"));
    }
    Ok(())
}

/// Checks that no part of the relay panicked.
pub(super) fn log(world: &World, file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read(file).map_err(|error| anyhow!("cannot read {}: {error}", file.display()))?;
    for line in String::from_utf8_lossy(&text).lines().filter(|line| line.contains("panicked")) {
        world.violated(format!("the relay's log: {line}"));
    }
    Ok(())
}

/// Checks that reading all notifications again, by the same rules and after all registrations, changes nothing.
pub(super) async fn reread(world: &World, relay: &Arc<Relay>) -> anyhow::Result<()> {
    let relay = Arc::clone(relay);
    let ended = tokio::task::spawn_blocking(move || relay.command("reread", &["--dry-run"])).await??;
    if ended.status.success() {
        return Ok(());
    }
    world.violated(format!("a reread of the store, which must change nothing, ends with {}", ended.status));
    let told = [ended.stdout, ended.stderr].concat();
    for line in String::from_utf8_lossy(&told).lines() {
        world.violated(format!("the reread says: {line}"));
    }
    Ok(())
}

/// The beginning of a body, for people.
fn text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().take(400).collect()
}
