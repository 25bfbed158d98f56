//! The trial of a recording: its power is cut again and again, and each disk is judged.

use std::path::{Path, PathBuf};
use std::thread;

use fastrand::Rng;
use tempfile::TempDir;

use super::cuts::{Cut, chosen};
use super::disk::Disk;
use super::judge::{Answered, Known};
use super::recording::Recording;

/// A recording, and what was answered meanwhile.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) recording: Recording,
    pub(super) known: Known,
}

/// A disk that lacks something.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) cut: Cut,
    pub(super) wrong: Vec<String>,
}

/// The seed of all cuts: the same ones each time, unless POWER_CUT_SEED says otherwise.
pub(super) fn seed() -> u64 {
    std::env::var("POWER_CUT_SEED").map_or(1, |seed| seed.parse().unwrap())
}

/// This share, in percent, of the cuts of a run: 1,000 in all, unless POWER_CUTS says otherwise.
pub(super) fn share(percent: usize) -> usize {
    let all = std::env::var("POWER_CUTS").map_or(1000, |number| number.parse().unwrap());
    (all * percent).div_ceil(100)
}

impl Trial {
    /// Cuts the power so often. All that was answered must be there after each cut.
    #[track_caller]
    pub(super) fn survives(&self, cuts: usize) {
        let faults = self.faults(cuts, |_| true);
        if let Some(fault) = faults.first() {
            let kept = folder().keep();
            self.left(fault.cut, &kept);
            panic!(
                "{} of {cuts} cuts lost something. The first is {:?}; its disk is in {}; POWER_CUT_SEED={}:\n{}",
                faults.len(),
                fault.cut,
                kept.display(),
                seed(),
                fault.wrong.join("\n")
            );
        }
    }

    /// What is wrong after so many cuts, on a disk that does the syncs which are believed.
    pub(super) fn faults(&self, cuts: usize, believed: fn(Option<&str>) -> bool) -> Vec<Fault> {
        let cuts = self.cuts(cuts);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let parts = cuts.chunks(cuts.len().div_ceil(threads).max(1));
        thread::scope(|scope| {
            let judges: Vec<_> = parts.map(|part| scope.spawn(move || self.faults_of(part, believed))).collect();
            judges.into_iter().flat_map(|judge| judge.join().unwrap()).collect()
        })
    }

    /// So many cuts.
    pub(super) fn cuts(&self, number: usize) -> Vec<Cut> {
        chosen(&self.recording, number, &mut Rng::with_seed(seed()))
    }

    /// A cut at the end of the recording.
    pub(super) fn last_cut(&self, seed: u64) -> Cut {
        Cut { acts: self.recording.acts.len(), seed }
    }

    /// What was answered up to this cut. To the next recording, all of it comes before the beginning.
    pub(super) fn known_at(&self, cut: Cut) -> Known {
        let answered = self.known.up_to(self.recording.length(cut.acts));
        Known { answered: answered.map(|what| Answered { at: 0, what: what.clone() }).collect(), told: Vec::new() }
    }

    /// The files that a cut leaves, written into a folder.
    pub(super) fn left(&self, cut: Cut, folder: &Path) {
        let mut disk = Disk::new(&self.recording.before, &self.recording.bytes);
        self.recording.acts.iter().take(cut.acts).for_each(|one| disk.act(one));
        for (name, bytes) in disk.after_cut(&mut Rng::with_seed(cut.seed)) {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }

    fn faults_of(&self, cuts: &[Cut], believed: fn(Option<&str>) -> bool) -> Vec<Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut disk = Disk::new(&self.recording.before, &self.recording.bytes).lying(believed);
        let (mut acts, mut faults) = (0, Vec::new());
        for cut in cuts {
            self.recording.acts[acts..cut.acts].iter().for_each(|one| disk.act(one));
            acts = cut.acts;
            let files = disk.after_cut(&mut Rng::with_seed(cut.seed));
            let (folder, length) = (folder(), self.recording.length(acts));
            let wrong = runtime.block_on(self.known.wrong_with(&files, length, folder.path()));
            if !wrong.is_empty() {
                faults.push(Fault { cut: *cut, wrong });
            }
        }
        faults
    }
}

/// A folder for a disk that is judged. It may be in memory, since its power is not cut.
pub(super) fn folder() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    tempfile::tempdir_in(&memory).or_else(|_| tempfile::tempdir()).unwrap()
}
