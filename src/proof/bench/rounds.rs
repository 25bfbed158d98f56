//! Rounds of contestants that take turns: the order alternates, so that a drift of the machine hits all of them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;

use super::load::{Load, Window};
use super::process::Cpu;
use super::stage::{Stage, enough, saturated};
use super::wire::{Notifications, Requests, registrations};

/// The requests of a contestant's first, short load, by which its rounds are sized.
const FIRST: usize = 400;
/// The longest time of that load.
const FIRST_MAX: Duration = Duration::from_secs(60);

/// What a contestant gets.
#[derive(Debug)]
pub(super) enum Feed {
    /// Notifications, each of them another event.
    Notifications(Notifications),
    /// Registrations of new records, from this one on.
    Registrations(usize),
    /// These requests, again and again.
    Same(Requests),
}

impl Feed {
    fn next(&mut self, many: usize) -> anyhow::Result<Requests> {
        Ok(match self {
            Self::Notifications(notifications) => notifications.next(many)?,
            Self::Registrations(next) => {
                let from = *next;
                *next += many;
                registrations(from..*next)
            }
            Self::Same(requests) => Requests::clone(requests),
        })
    }
}

/// A contestant in its rounds.
#[derive(Debug)]
pub(super) struct Contestant {
    /// Its name in a warning.
    name: &'static str,
    address: SocketAddr,
    pid: u32,
    feed: Feed,
    rate: f64,
    /// The requests that it has answered with 2xx, in its rounds and before them.
    pub(super) answered: usize,
    pub(super) windows: Vec<Window>,
    /// Its processor time in each round.
    cpu: Vec<Option<Cpu>>,
}

impl Contestant {
    /// A contestant, after a short load that nobody counts.
    pub(super) async fn begin(
        name: &'static str,
        address: SocketAddr,
        pid: u32,
        mut feed: Feed,
    ) -> anyhow::Result<Self> {
        let first = saturated(address, feed.next(FIRST)?, FIRST_MAX).send().await?;
        let (rate, answered) = (first.rate(), first.answered);
        Ok(Self { name, address, pid, feed, rate, answered, windows: Vec::new(), cpu: Vec::new() })
    }

    async fn round(&mut self, lasts: Duration) -> anyhow::Result<()> {
        let requests = self.feed.next(enough(self.rate, lasts))?;
        let again = matches!(self.feed, Feed::Same(_));
        let before = Cpu::of(self.pid);
        let window = Load { again, ..saturated(self.address, requests, lasts) }.send().await?;
        self.cpu.push(Cpu::of(self.pid).zip(before).map(|(now, before)| now.since(before)));
        self.rate = window.rate();
        self.answered += window.answered;
        self.windows.push(window);
        Ok(())
    }

    pub(super) fn rates(&self) -> Vec<f64> {
        self.windows.iter().map(Window::rate).collect()
    }

    /// Microseconds of processor time for each request, of the whole process or of one of its threads.
    pub(super) fn cpu(&self, of: impl Fn(Cpu) -> Duration) -> Vec<f64> {
        let each = self.cpu.iter().zip(&self.windows);
        each.filter_map(|(cpu, window)| Some(of((*cpu)?).as_secs_f64() * 1e6 / window.answered as f64)).collect()
    }

    /// Its notifications, to be gone on with.
    ///
    /// # Errors
    /// It got something else.
    pub(super) fn into_notifications(self) -> anyhow::Result<Notifications> {
        match self.feed {
            Feed::Notifications(notifications) => Ok(notifications),
            Feed::Registrations(_) | Feed::Same(_) => Err(anyhow!("{} got no notifications", self.name)),
        }
    }

    /// The generator's share of a processor in each round.
    pub(super) fn shares(&self) -> Vec<f64> {
        self.windows.iter().filter_map(Window::own_share).collect()
    }
}

/// Plays the rounds of these contestants, with a look at the disk before each.
pub(super) async fn in_turns(stage: &mut Stage, contestants: &mut [Contestant]) -> anyhow::Result<()> {
    for round in 0..stage.rounds {
        stage.disk.measure(stage.round / 10)?;
        if round % 2 == 0 {
            for one in contestants.iter_mut() {
                one.round(stage.round).await?;
            }
        } else {
            for one in contestants.iter_mut().rev() {
                one.round(stage.round).await?;
            }
        }
    }
    for one in contestants {
        stage.warn_of_generator(one.name, &one.windows);
    }
    Ok(())
}
