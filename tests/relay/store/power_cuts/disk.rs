//! The model of a disk: what it certainly has, what it may have, and what it has after a power cut.
//!
//! The model is POSIX's, which promises less than any file system keeps:
//!
//! - What was written before a sync of its file began is on disk once the sync has succeeded. Of all else, any part may
//!   be there, in any order, down to sectors of 512 bytes: a sector has one of the states that it has had since the last
//!   sync. SQLite relies on it that a write leaves the other bytes of its sector alone, so the model does so too.
//! - A file may be longer than what has arrived of it. The rest is zeros or junk then. Or its new length has not arrived.
//! - Names (a file made, renamed or removed) are on disk once their folder was synced. A sync of a new file alone leaves
//!   it without a name, although ext4 and XFS would keep it. Of the changes that were not synced, any may be there. A
//!   rename is there as a whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use fastrand::Rng;

use super::recording::{Act, Recorded};
use super::way::Way;

/// Files by their names.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

const SECTOR: usize = 512;

/// A disk under a program that is recorded.
#[derive(Debug, Clone)]
pub(super) struct Disk<'a> {
    bytes: &'a [u8],
    files: Vec<File>,
    inodes: HashMap<u64, usize>,
    /// The names as the program sees them, those on disk, and the changes between.
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    renames: Vec<(u64, Naming)>,
    /// Whether a sync of the file of this name is one; none is that of the folder.
    believed: fn(Option<&str>) -> bool,
}

#[derive(Debug, Clone, Default)]
struct File {
    synced: Vec<u8>,
    /// What was not synced, each with the length of the recording.
    changes: Vec<(u64, Change)>,
}

#[derive(Debug, Clone)]
enum Change {
    Written(usize, Range<usize>),
    Length(usize),
}

#[derive(Debug, Clone)]
struct Naming {
    gone: Option<String>,
    there: Option<(String, usize)>,
}

impl<'a> Disk<'a> {
    /// A disk with these files. The bytes are those of the recording.
    pub(super) fn new(before: &Files, bytes: &'a [u8]) -> Self {
        let files: Vec<_> = before.values().map(|bytes| File { synced: bytes.clone(), changes: Vec::new() }).collect();
        let names: BTreeMap<_, _> = before.keys().cloned().zip(0..).collect();
        let synced_names = names.clone();
        Self { bytes, files, inodes: HashMap::new(), names, synced_names, renames: Vec::new(), believed: |_| true }
    }

    /// A disk that says of some syncs that they are done, and has done nothing.
    pub(super) fn lying(self, believed: fn(Option<&str>) -> bool) -> Self {
        Self { believed, ..self }
    }

    /// Does what was recorded.
    pub(super) fn act(&mut self, recorded: &Recorded) {
        let end = recorded.end;
        match &recorded.act {
            Act::Opened { file, name, .. } => self.opened(*file, name, end),
            Act::Written { file, at, bytes } => {
                self.file(*file).changes.push((end, Change::Written(*at, bytes.clone())));
            }
            Act::Cut { file, length } => self.file(*file).changes.push((end, Change::Length(*length))),
            Act::Synced { file, begun } => self.synced(*file, *begun),
            Act::FolderSynced { begun } if (self.believed)(None) => {
                let later = self.renames.iter().take_while(|(end, _)| end <= begun).count();
                for (_, naming) in self.renames.drain(..later) {
                    naming.apply(&mut self.synced_names);
                }
            }
            Act::FolderSynced { .. } => {}
            Act::Renamed { from, to } => {
                let file = self.names[from];
                self.rename(end, Naming { gone: Some(from.clone()), there: Some((to.clone(), file)) });
            }
            Act::Removed { name } => self.rename(end, Naming { gone: Some(name.clone()), there: None }),
        }
    }

    /// All files as the program sees them.
    pub(super) fn whole(&self) -> Files {
        let content = |file: &File| {
            let mut bytes = file.synced.clone();
            file.changes.iter().for_each(|(_, change)| self.change(&mut bytes, change, |_| true));
            bytes
        };
        self.names.iter().map(|(name, file)| (name.clone(), content(&self.files[*file]))).collect()
    }

    /// One of the states in which a power cut may leave the disk.
    pub(super) fn after_cut(&self, random: &mut Rng) -> Files {
        let mut names = self.synced_names.clone();
        let way = Way::any(random, self.renames.len());
        for (n, (_, naming)) in self.renames.iter().enumerate() {
            if way.has(n, random) {
                naming.clone().apply(&mut names);
            }
        }
        names.into_iter().map(|(name, file)| (name, self.left_of(&self.files[file], random))).collect()
    }

    fn opened(&mut self, inode: u64, name: &str, end: u64) {
        let file = match self.names.get(name) {
            Some(file) => *file,
            None => {
                self.files.push(File::default());
                let file = self.files.len() - 1;
                self.rename(end, Naming { gone: None, there: Some((name.to_owned(), file)) });
                file
            }
        };
        self.inodes.insert(inode, file);
    }

    fn rename(&mut self, end: u64, naming: Naming) {
        naming.clone().apply(&mut self.names);
        self.renames.push((end, naming));
    }

    fn file(&mut self, inode: u64) -> &mut File {
        &mut self.files[self.inodes[&inode]]
    }

    fn synced(&mut self, inode: u64, begun: u64) {
        let index = self.inodes[&inode];
        let name = self.names.iter().find(|(_, file)| **file == index).map_or("", |(name, _)| name);
        if !(self.believed)(Some(name)) {
            return;
        }
        let mut file = std::mem::take(&mut self.files[index]);
        let later = file.changes.iter().take_while(|(end, _)| *end <= begun).count();
        for (_, change) in file.changes.drain(..later) {
            self.change(&mut file.synced, &change, |_| true);
        }
        self.files[index] = file;
    }

    /// Makes a change, as far as sectors are chosen; they are counted from the beginning of the file.
    fn change(&self, bytes: &mut Vec<u8>, change: &Change, mut chosen: impl FnMut(usize) -> bool) {
        match change {
            Change::Length(length) => bytes.resize(*length, 0),
            Change::Written(at, written) => {
                let written = &self.bytes[written.clone()];
                let mut from = 0;
                while from < written.len() {
                    let sector = (at + from) / SECTOR;
                    let to = ((sector + 1) * SECTOR - at).min(written.len());
                    if chosen(sector) {
                        let end = at + to;
                        bytes.resize(bytes.len().max(end), 0);
                        bytes[at + from..end].copy_from_slice(&written[from..to]);
                    }
                    from = to;
                }
            }
        }
    }

    fn left_of(&self, file: &File, random: &mut Rng) -> Vec<u8> {
        let mut left = file.synced.clone();
        let way = Way::any(random, file.changes.len());
        for (n, (_, change)) in file.changes.iter().enumerate() {
            let has = way.has(n, random);
            match change {
                Change::Length(_) if !has => {}
                change => self.change(&mut left, change, |_| way.has_sector(n, random).unwrap_or(has)),
            }
        }
        with_some_length(left, file, random)
    }
}

/// The length of a file is written apart from its content.
fn with_some_length(mut left: Vec<u8>, file: &File, random: &mut Rng) -> Vec<u8> {
    let (synced, mut length, mut is_cut) = (file.synced.len(), file.synced.len(), false);
    for (_, change) in &file.changes {
        match change {
            Change::Written(at, bytes) => length = length.max(at + bytes.len()),
            Change::Length(cut) => (length, is_cut) = (*cut, true),
        }
    }
    match random.u8(0..6) {
        0 => left.resize(left.len().max(length), 0),
        1 => {
            let junk = left.len()..length.max(left.len());
            left.extend(junk.map(|_| random.u8(..)));
        }
        2 if !is_cut && left.len() > synced => {
            let some = random.usize(synced..left.len());
            left.truncate((some / SECTOR * SECTOR).max(synced));
        }
        _ => {}
    }
    left
}

impl Naming {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        if let Some(gone) = self.gone {
            names.remove(&gone);
        }
        names.extend(self.there);
    }
}

#[test]
fn what_was_synced_stays_and_of_the_rest_anything_may_be_there() {
    // 0..1024: old; 1024..2048: new, synced; 2048..3072 newer, of which nothing was synced.
    let bytes = [vec![1; 1024], vec![2; 1024], vec![3; 1024]].concat();
    let before = Files::from([("a".to_owned(), vec![1; 1024])]);
    let mut disk = Disk::new(&before, &bytes);
    let acts = [
        Act::Opened { file: 7, name: "a".to_owned(), made: false },
        Act::Written { file: 7, at: 512, bytes: 1024..2048 },
        Act::Synced { file: 7, begun: 2 },
        Act::Written { file: 7, at: 1024, bytes: 2048..3072 },
        // This sync began before the write, and does not cover it.
        Act::Synced { file: 7, begun: 3 },
    ];
    acts.into_iter().zip(1..).for_each(|(act, end)| disk.act(&Recorded { act, end }));
    assert_eq!(disk.whole()["a"], [vec![1; 512], vec![2; 512], vec![3; 1024]].concat());
    let mut left = std::collections::BTreeSet::new();
    for seed in 0..500 {
        let file = disk.after_cut(&mut Rng::with_seed(seed)).remove("a").unwrap();
        assert_eq!(file[..1024], [vec![1; 512], vec![2; 512]].concat());
        assert!((1536..=2048).contains(&file.len()) && [2, 3].contains(&file[1024]), "{seed}: {}", file.len());
        left.insert((file[1024], file.get(1536).copied()));
    }
    for seen in [(2, None), (3, None), (2, Some(0)), (2, Some(3)), (3, Some(0)), (3, Some(3))] {
        assert!(left.contains(&seen), "{seen:?} is in {left:?}");
    }
}

#[test]
fn names_are_there_once_their_folder_was_synced() {
    let before = Files::from([("old".to_owned(), b"old".to_vec())]);
    let mut disk = Disk::new(&before, b"new");
    let left = |disk: &Disk<'_>| {
        let left = (0..200).map(|seed| disk.after_cut(&mut Rng::with_seed(seed)));
        left.map(|files| files.into_keys().collect::<Vec<_>>().join(" ")).collect::<std::collections::BTreeSet<_>>()
    };
    let mut end = 0;
    let mut act = |disk: &mut Disk<'_>, act| {
        end += 1;
        disk.act(&Recorded { act, end });
    };
    act(&mut disk, Act::Opened { file: 8, name: "new".to_owned(), made: true });
    act(&mut disk, Act::Written { file: 8, at: 0, bytes: 0..3 });
    act(&mut disk, Act::Synced { file: 8, begun: 2 });
    assert_eq!(left(&disk), ["new old".to_owned(), "old".to_owned()].into(), "a synced file may have no name");
    act(&mut disk, Act::Renamed { from: "new".to_owned(), to: "old".to_owned() });
    // The new file is there under both names if only a part of the folder has reached the disk.
    assert_eq!(left(&disk), ["new old".to_owned(), "old".to_owned()].into());
    act(&mut disk, Act::FolderSynced { begun: 4 });
    assert_eq!(left(&disk), ["old".to_owned()].into());
    assert_eq!(disk.after_cut(&mut Rng::with_seed(1))["old"], b"new");
}
