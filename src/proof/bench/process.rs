//! What a process costs, as Linux tells it in /proc: processor time and memory. Elsewhere nothing is known.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// The thread of the relay that writes the store.
pub(super) const WRITER: &str = "store-writer";

/// The processor time of a process so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cpu {
    /// Of all its threads.
    pub(super) whole: Duration,
    /// Of the thread that writes the store. 0 if it has none.
    pub(super) writer: Duration,
}

impl Cpu {
    /// The processor time of a process so far. `None` where /proc does not tell it.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let mut cpu = Self::default();
        for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
            let thread = entry.ok()?.path();
            // A thread may end meanwhile.
            let Some(time) = time(&thread) else { continue };
            cpu.whole += time;
            if fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim_end() == WRITER) {
                cpu.writer += time;
            }
        }
        (cpu.whole > Duration::ZERO).then_some(cpu)
    }

    /// The processor time since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self { whole: self.whole.saturating_sub(before.whole), writer: self.writer.saturating_sub(before.writer) }
    }
}

/// The processor time of the calling thread so far. `None` where /proc does not tell it.
pub(super) fn own_time() -> Option<Duration> {
    time(Path::new("/proc/thread-self"))
}

/// The first number of schedstat: nanoseconds on a processor.
fn time(thread: &Path) -> Option<Duration> {
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// The memory of a process in bytes that is in RAM now. `None` where /proc does not tell it.
pub(super) fn memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let pid = std::process::id();
        assert!(Cpu::of(pid).unwrap().whole > Duration::ZERO && own_time().is_some());
        assert!(memory(pid).unwrap() > 1_000_000);
    }
}
