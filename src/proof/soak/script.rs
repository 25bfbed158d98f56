//! The script of faults: Transform's moods, and the faults of the relay's process and its store, with their times. Pure.

use std::time::Duration;

use super::lives::Chance;

/// The mood of the stand-in for Transform: how it answers for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mood {
    #[default]
    Healthy,
    /// Does not listen.
    Refused,
    /// Answers 500.
    Failing,
    /// Answers 500 for a quarter of the records.
    Choking,
    /// Answers 429 with `Retry-After: 1`.
    Throttling,
    /// Answers late.
    Slow,
    /// Never answers.
    Hanging,
    /// Answers 302 with another address.
    Redirecting,
    /// Answers without end.
    Endless,
    /// Takes the webhook and closes the connection.
    Closing,
    /// Answers with bytes that are not HTTP.
    Garbage,
}

impl Mood {
    pub(super) const ALL: [Self; 11] = [
        Self::Healthy,
        Self::Refused,
        Self::Failing,
        Self::Choking,
        Self::Throttling,
        Self::Slow,
        Self::Hanging,
        Self::Redirecting,
        Self::Endless,
        Self::Closing,
        Self::Garbage,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Refused => "refuses connections",
            Self::Failing => "answers 500",
            Self::Choking => "answers 500 for some",
            Self::Throttling => "answers 429",
            Self::Slow => "slow",
            Self::Hanging => "hangs",
            Self::Redirecting => "redirects",
            Self::Endless => "answers without end",
            Self::Closing => "closes without answer",
            Self::Garbage => "answers garbage",
        }
    }
}

/// A fault of the relay or its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fault {
    /// kill -9, and a new start after a while.
    #[default]
    Kill,
    /// kill -9, and again soon after the new start.
    KillTwice,
    /// SIGTERM, and a new start.
    Terminate,
    /// SIGSTOP, and SIGCONT after a while.
    Freeze,
    /// Another process holds the write lock of the store.
    Lock,
    /// The store is locked while the relay is killed and started again.
    LockAndKill,
}

impl Fault {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "killed (SIGKILL)",
            Self::KillTwice => "killed, and again soon after its start",
            Self::Terminate => "terminated (SIGTERM)",
            Self::Freeze => "frozen (SIGSTOP, SIGCONT)",
            Self::Lock => "store locked by another process",
            Self::LockAndKill => "killed while the store was locked",
        }
    }
}

/// The next mood and its length.
pub(super) fn next_mood(chance: &mut Chance) -> (Mood, Duration) {
    if chance.one_in(3) {
        return (Mood::Healthy, Duration::from_millis(chance.millis(1_000, 5_000)));
    }
    (chance.pick(&Mood::ALL), Duration::from_millis(chance.millis(300, 3_500)))
}

/// The first faults. Even in a short soak, the relay is killed, and its store is locked for longer than it waits.
pub(super) fn opening_faults(chance: &mut Chance) -> [(Duration, Fault, Duration); 2] {
    let mut calm = || Duration::from_millis(chance.millis(500, 2_000));
    [(calm(), Fault::Kill, Duration::ZERO), (calm(), Fault::Lock, Duration::from_millis(6_500))]
}

/// The pause before the relay's next fault, the fault, and its length.
pub(super) fn next_fault(chance: &mut Chance) -> (Duration, Fault, Duration) {
    let calm = if chance.one_in(3) { chance.millis(50, 800) } else { chance.millis(500, 3_500) };
    let faults = [
        Fault::Kill,
        Fault::Kill,
        Fault::Kill,
        Fault::KillTwice,
        Fault::Terminate,
        Fault::Terminate,
        Fault::Freeze,
        Fault::Lock,
        Fault::LockAndKill,
    ];
    let fault = chance.pick(&faults);
    let lasts = match fault {
        Fault::Kill | Fault::KillTwice | Fault::Terminate => chance.millis(0, 700),
        Fault::Freeze => chance.millis(100, 2_500),
        // Some of these locks last longer than the relay waits for its store.
        Fault::Lock => chance.pick(&[400, 1_500, 3_000, 6_500]),
        Fault::LockAndKill => chance.millis(300, 3_000),
    };
    (Duration::from_millis(calm), fault, Duration::from_millis(lasts))
}
