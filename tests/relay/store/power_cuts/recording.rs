//! A recording: what a program did to the files of a folder, one act after the other, as `support/power_cut.c` writes it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::disk::{Disk, Files};
use crate::support::preload::preload;

/// One act. Files are named by their inodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// A name of a file was opened, and perhaps made.
    Opened { file: u64, name: String, made: bool },
    /// These bytes of the recording were written at this offset.
    Written { file: u64, at: usize, bytes: Range<usize> },
    /// The file got this length.
    Cut { file: u64, length: usize },
    /// The file was synced: all that was recorded before the length `begun` is on disk.
    Synced { file: u64, begun: u64 },
    /// The names in the folder were synced.
    FolderSynced { begun: u64 },
    /// A file got another name, perhaps that of another file.
    Renamed { from: String, to: String },
    /// A name was removed.
    Removed { name: String },
}

/// An act, and the length of the recording with it.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) act: Act,
    pub(super) end: u64,
}

/// The recording of a folder, and the files that were there at its beginning.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) before: Files,
    pub(super) bytes: Vec<u8>,
    pub(super) acts: Vec<Recorded>,
}

/// The bytes of a record's head, as the C compiler lays them out, and its first number.
const HEAD: usize = 40;
const MARK: u32 = 0x4352_5750;

impl Recording {
    /// Reads a recording up to its last whole record: a killed program may have left a part of one.
    fn read(log: &Path, before: Files) -> Self {
        let bytes = std::fs::read(log).unwrap_or_default();
        let mut acts = Vec::new();
        let mut at = 0;
        while let Some((act, end)) = record(&bytes, at) {
            acts.push(Recorded { act, end: end.try_into().unwrap() });
            at = end;
        }
        Self { before, bytes, acts }
    }

    /// The length up to the n-th act.
    pub(super) fn length(&self, acts: usize) -> u64 {
        acts.checked_sub(1).map_or(0, |last| self.acts[last].end)
    }

    /// The disk after all of it.
    pub(super) fn disk(&self) -> Disk<'_> {
        let mut disk = Disk::new(&self.before, &self.bytes);
        self.acts.iter().for_each(|one| disk.act(one));
        disk
    }

    /// A file that is not as it was recorded.
    fn differs_from(&self, there: &Files) -> Option<String> {
        let whole = self.disk().whole();
        let names = whole.keys().chain(there.keys());
        names.filter(|name| whole.get(*name) != there.get(*name)).max().cloned()
    }

    /// The inodes that a name has had.
    pub(super) fn inodes(&self, of: &str) -> BTreeSet<u64> {
        let opened = self.acts.iter().filter_map(|one| match &one.act {
            Act::Opened { file, name, .. } if name == of => Some(*file),
            _ => None,
        });
        opened.collect()
    }
}

/// The record at a place, and its end.
fn record(bytes: &[u8], at: usize) -> Option<(Act, usize)> {
    let head = bytes.get(at..at + HEAD)?;
    let four = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
    let eight = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().unwrap());
    let number = |at: usize| usize::try_from(eight(at)).unwrap();
    assert_eq!(four(0), MARK, "no record begins at {at}");
    let (file, place, begun, size) = (eight(8), number(16), eight(24), number(32));
    let more = at + HEAD..at + HEAD + size;
    let text = String::from_utf8_lossy(bytes.get(more.clone())?).into_owned();
    let act = match four(4) {
        1 => Act::Opened { file, name: text, made: place == 1 },
        2 => Act::Written { file, at: place, bytes: more.clone() },
        3 => Act::Cut { file, length: place },
        4 => Act::Synced { file, begun },
        5 => Act::FolderSynced { begun },
        6 => {
            let (from, to) = text.split_once('/').unwrap();
            Act::Renamed { from: from.to_owned(), to: to.to_owned() }
        }
        7 => Act::Removed { name: text },
        other => panic!("no act {other}"),
    };
    Some((act, more.end))
}

/// The recorder of a folder: the library that programs are started with, and its log.
#[derive(Debug)]
pub(super) struct Recorder {
    of: PathBuf,
    before: Files,
    beside: TempDir,
    preloaded: (String, String),
}

impl Recorder {
    /// Begins a recording of a folder as it is now.
    pub(super) fn begin(of: &Path) -> Self {
        let beside = tempfile::tempdir().unwrap();
        let preloaded = preload(beside.path(), "power_cut");
        Self { of: of.to_owned(), before: files_in(of), beside, preloaded }
    }

    /// The variables of a program that is recorded.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let [folder, log] = [("POWER_CUT_FOLDER", text(&self.of)), ("POWER_CUT_LOG", text(&self.log()))];
        vec![self.preloaded.clone(), (folder.0.to_owned(), folder.1), (log.0.to_owned(), log.1)]
    }

    pub(super) fn log(&self) -> PathBuf {
        self.beside.path().join("log")
    }

    /// The recording so far, while no recorded program runs. It must lead to the very files that are there: so nothing
    /// was done past the recorder. A killed program may have recorded one write that it did not do.
    pub(super) fn so_far(&self) -> Recording {
        let mut recording = Recording::read(&self.log(), self.before.clone());
        let there = files_in(&self.of);
        let last = recording.acts.last().map(|one| &one.act);
        let may_be_undone = matches!(last, Some(Act::Written { .. } | Act::Cut { .. }));
        if may_be_undone && recording.differs_from(&there).is_some() {
            recording.acts.pop();
        }
        assert_eq!(recording.differs_from(&there), None, "it is not as recorded");
        let log = std::fs::File::options().write(true).open(self.log()).unwrap();
        log.set_len(recording.length(recording.acts.len())).unwrap();
        recording
    }
}

/// The files of a folder that have to outlive a cut: not those that the tests write themselves, and not the index of a WAL.
fn files_in(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file()).map(|entry| entry.path());
    let named = files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let own = ["relay.toml", "media-password"];
    let lasting = named.filter(|(name, _)| !own.contains(&name.as_str()) && !name.ends_with("-shm"));
    lasting.map(|(name, path)| (name, std::fs::read(path).unwrap())).collect()
}
