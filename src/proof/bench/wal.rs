//! The bytes of the WAL that a notification costs. They are counted in the WAL itself, frame by frame: a reader keeps SQLite from
//! writing the WAL from its beginning again meanwhile. SQLite publishes the format.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::figure::{Figure, Goal};
use super::ingest::Ingested;
use super::load::Load;
use super::relay::Relay;
use super::stage::{Stage, enough, saturated};

/// The lengths of the WAL's header, and of the header of each frame in it.
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// So many connections make groups of 24 notifications or more.
const CONNECTIONS: usize = 128;
/// The least size of a group for this figure.
const GROUP_LEAST: f64 = 24.0;

/// The frames of a WAL that count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Frames {
    /// The salts, which change when the WAL is written from its beginning again.
    salts: [u8; 8],
    frames: u64,
    /// The frames that end a transaction.
    commits: u64,
    /// The bytes of one frame.
    bytes: u64,
}

impl Frames {
    /// The frames of a WAL. None in an empty one.
    fn of(wal: &Path) -> std::io::Result<Self> {
        let file = File::open(wal)?;
        let mut header = [0; 32];
        if file.read_exact_at(&mut header, 0).is_err() {
            return Ok(Self::default());
        }
        let (page, salts) = (part::<4>(&header, 8), part::<8>(&header, 16));
        let bytes = FRAME_HEADER + u64::from(u32::from_be_bytes(page));
        let mut found = Self { salts, frames: 0, commits: 0, bytes };
        let mut frame = [0; 24];
        while file.read_exact_at(&mut frame, WAL_HEADER + found.frames * bytes).is_ok() && part::<8>(&frame, 8) == salts
        {
            found.frames += 1;
            // Of the last frame of a transaction these bytes are the size of the database.
            found.commits += u64::from(part::<4>(&frame, 4) != [0; 4]);
        }
        Ok(found)
    }

    /// The frames since `before`.
    fn since(self, before: Self) -> Self {
        if self.salts != before.salts {
            return self;
        }
        Self { frames: self.frames - before.frames, commits: self.commits - before.commits, ..self }
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

/// Measures the bytes of the WAL for each notification. Nobody may be told meanwhile.
pub(super) async fn measure(stage: &mut Stage, relay: &Relay, ingested: &mut Ingested) -> anyhow::Result<()> {
    let wal = relay.child.database().with_file_name("relay.db-wal");
    let (mut bytes, mut groups) = (Vec::new(), Vec::new());
    let lasts = (stage.round / 2).min(Duration::from_secs(2));
    for _ in 0..stage.rounds {
        let reader = relay.store()?;
        reader.execute_batch("BEGIN; SELECT count(*) FROM probe")?;
        let before = Frames::of(&wal).context("the WAL cannot be read")?;
        let requests = ingested.notifications.next(enough(ingested.rate * 1.5, lasts))?;
        let load = Load { connections: CONNECTIONS, ..saturated(relay.address, requests, lasts) };
        let window = load.send().await?;
        let written = Frames::of(&wal).context("the WAL cannot be read")?.since(before);
        reader.execute_batch("COMMIT")?;
        ingested.answered += window.answered;
        bytes.push((written.frames * written.bytes) as f64 / window.answered as f64);
        groups.push(window.answered as f64 / written.commits as f64);
    }
    let group = Figure::of("walGroup", "  notifications in a transaction", "", &groups);
    stage.figure(Figure::of("walBytes", "bytes of the WAL, a notification", "B", &bytes).goal(Goal::AtMost(4_096.0)));
    if group.value.is_some_and(|value| value < GROUP_LEAST) {
        stage.report.warnings.push(format!(
            "the bytes of the WAL are those of groups of {:.1}, but {GROUP_LEAST} are meant: --seconds is too short, or the machine is busy",
            group.value.unwrap_or_default()
        ));
    }
    stage.figure(group);
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn frames_and_transactions_are_counted_in_the_wal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        let wal = folder.path().join("a.db-wal");
        let before = Frames::of(&wal).unwrap();
        for _ in 0..3 {
            connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
        }
        let written = Frames::of(&wal).unwrap().since(before);
        // Each of these transactions writes the one page of the table.
        assert_eq!((written.frames, written.commits, written.bytes), (3, 3, 4_120));
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
        assert_eq!(Frames::of(&wal).unwrap().since(before).commits, 1, "written from the beginning again");
    }
}
