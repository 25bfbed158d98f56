//! The cost of an fsync on this disk, measured as the relay's store needs it: some pages written over, then fdatasync.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

/// The bytes of one write: three pages.
const PAGES: [u8; 12_288] = [b'x'; 12_288];
/// The writes after which the file is written from its beginning again, as a WAL is.
const PLACES: u64 = 340;

/// A file on the disk that is measured.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    place: u64,
    /// Each fsync's time in seconds.
    pub(super) times: Vec<f64>,
}

impl Disk {
    /// Makes the file in its whole length, so that a write over it changes nothing but its bytes.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let file = File::options().create(true).truncate(true).write(true).open(folder.join("fsync"))?;
        let mut disk = Self { file, place: 0, times: Vec::new() };
        for _ in 0..PLACES {
            disk.write()?;
        }
        disk.file.sync_all()?;
        Ok(disk)
    }

    fn write(&mut self) -> io::Result<()> {
        let length = PAGES.len() as u64;
        self.file.write_all_at(&PAGES, self.place * length)?;
        self.place = (self.place + 1) % PLACES;
        Ok(())
    }

    /// Measures fsyncs for this long, and one at least. It blocks its thread.
    pub(super) fn measure(&mut self, lasts: Duration) -> io::Result<()> {
        let began = Instant::now();
        loop {
            self.write()?;
            let at = Instant::now();
            self.file.sync_data()?;
            self.times.push(at.elapsed().as_secs_f64());
            if began.elapsed() >= lasts {
                return Ok(());
            }
        }
    }
}
