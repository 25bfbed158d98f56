//! The fetch worker: takes due fetches source by source, within each source's budget.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::api::{Api, Apis};
use super::budget::{ASKED_MAX, Budget, Free};
use super::client::Client;
use super::settling::{Ended, Fetching, Tools};
use crate::clock::Clock;
use crate::domain::due::later;
use crate::store::{AskedBy, Fetch, FetchesSought, Store, StoreError};

/// A signal that sources have objects to be fetched. It carries only their names: the store has the objects.
#[derive(Debug, Default)]
pub struct Signal {
    rung_for: Mutex<BTreeSet<String>>,
    given: Notify,
}

impl Signal {
    /// Signals this source.
    pub fn ring(&self, source: &str) {
        let mut rung_for = self.rung_for.lock().unwrap_or_else(PoisonError::into_inner);
        if !rung_for.contains(source) {
            rung_for.insert(source.to_owned());
        }
        drop(rung_for);
        self.given.notify_one();
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.rung_for.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The fetch worker. It takes no input: the store says what is to be fetched.
#[derive(Debug)]
pub struct Worker {
    tools: Arc<Tools>,
    apis: Arc<ArcSwap<Apis>>,
    signal: Arc<Signal>,
}

/// One source's queue. No source waits for another.
#[derive(Debug)]
struct Queue {
    budget: Budget,
    under_way: BTreeSet<i64>,
    /// Whether the next turn is that of a stranger's object, rather than that of an object of ours that a hint points
    /// to.
    strangers_turn: bool,
    look_at: Timestamp,
    dropped: u64,
    /// The hints dropped for scarce slots since the last log line, and the time when the next line may come.
    scarce: (u64, Timestamp),
}

impl Default for Queue {
    fn default() -> Self {
        let never = Timestamp::MIN;
        let (budget, under_way) = (Budget::default(), BTreeSet::new());
        Self { budget, under_way, strangers_turn: false, look_at: never, dropped: 0, scarce: (0, never) }
    }
}

/// A fetch that is under way.
#[derive(Debug)]
struct Begun {
    source: String,
    fetch: i64,
    trusted: bool,
}

/// The queues of all sources, and the fetches under way.
#[derive(Debug, Default)]
struct Queues {
    queues: BTreeMap<String, Queue>,
    fetches: JoinSet<Ended>,
    of: HashMap<Id, Begun>,
}

impl Queue {
    /// The number of hints dropped for scarce slots since the last log line; none if no line is due. A line is due once
    /// a minute.
    fn scarce(&mut self, now: Timestamp) -> Option<u64> {
        let (hints, tell_at) = self.scarce;
        let told = hints > 0 && tell_at <= now;
        told.then(|| {
            self.scarce = (0, later(now, TELL_EVERY));
            hints
        })
    }

    /// Chooses the due fetches that may begin. Fetches that the PSP itself asks for come first. Then hinted objects of
    /// ours and objects of strangers take turns: a stranger can know some of our objects, and hints at these must not
    /// take all calls.
    fn may_begin(&mut self, due: Vec<Fetch>, free: Free) -> Vec<Fetch> {
        let (mut begin, mut hinted, mut strangers) = (Vec::new(), VecDeque::new(), VecDeque::new());
        for fetch in due.into_iter().filter(|fetch| !self.under_way.contains(&fetch.id)) {
            match fetch.by {
                AskedBy::Psp => begin.push(fetch),
                AskedBy::Hint => hinted.push_back(fetch),
                AskedBy::Stranger => strangers.push_back(fetch),
            }
        }
        begin.truncate(free.all);
        strangers.truncate(free.strangers);
        while begin.len() < free.all {
            let (first, second) =
                if self.strangers_turn { (&mut strangers, &mut hinted) } else { (&mut hinted, &mut strangers) };
            let Some(fetch) = first.pop_front().or_else(|| second.pop_front()) else { break };
            self.strangers_turn = fetch.by == AskedBy::Hint;
            begin.push(fetch);
        }
        begin
    }
}

/// The longest time between two looks at a source.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// The time between two log lines that sum up a flood.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// The wait before the next look when the store is in trouble or a fetch panicked.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

impl Queues {
    /// The time until the next look at a source. A source that a reload removed, or that fetches no more, does not count:
    /// its time would be past for ever.
    fn until_next(&self, apis: &Apis, now: Timestamp) -> Duration {
        let next = apis.keys().filter_map(|source| Some(self.queues.get(source)?.look_at)).min();
        let wait = next.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        wait.unwrap_or(LOOK_AT_LEAST_EVERY).min(LOOK_AT_LEAST_EVERY)
    }
}

impl Worker {
    /// Makes a worker on this store. It runs until `stop`.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub fn new(
        store: Arc<Store>,
        apis: Arc<ArcSwap<Apis>>,
        signal: Arc<Signal>,
        clock: Clock,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, String> {
        // All sources share the client. With the smallest limit, no host keeps more connections open than it has calls.
        let idle_max = apis.load_full().values().map(|api| api.limits.concurrency).min().unwrap_or(1);
        let client = Client::new(idle_max)?;
        let tools = Arc::new(Tools { store, client, clock, stop });
        Ok(Arc::new(Self { tools, apis, signal }))
    }

    /// Takes up the fetches that were left before a restart. Returns how many they are.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn recover(&self) -> Result<u32, StoreError> {
        let backlog = self.tools.store.resume_fetches(self.tools.clock.now(), ASKED_MAX).await?;
        let apis = self.apis.load_full();
        for (source, waiting) in backlog.iter().filter(|(source, _)| !apis.contains_key(source)) {
            tracing::warn!(
                source,
                waiting,
                "objects wait to be fetched, but their source fetches nothing: set up [sources.NAME.fetch], or they stay unfetched"
            );
        }
        Ok(backlog.iter().map(|(_, waiting)| waiting).sum())
    }

    /// Makes due fetches until it is stopped. Then it finishes the fetches under way.
    pub async fn run(self: Arc<Self>) {
        let mut queues = Queues::default();
        while !self.tools.stop.is_cancelled() {
            for source in self.signal.take() {
                queues.queues.entry(source).or_default().look_at = Timestamp::MIN;
            }
            let apis = self.apis.load_full();
            for (source, api) in apis.iter() {
                self.look(source, api, &mut queues).await;
            }
            let wait = queues.until_next(&apis, self.now());
            tokio::select! {
                () = self.tools.stop.cancelled() => {}
                Some(ended) = queues.fetches.join_next_with_id() => self.ended(ended, &mut queues),
                () = self.signal.given.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while let Some(ended) = queues.fetches.join_next_with_id().await {
            self.ended(ended, &mut queues);
        }
    }

    fn now(&self) -> Timestamp {
        self.tools.clock.now().steady
    }

    /// Begins what is due for a source, as far as its budget goes.
    async fn look(&self, source: &str, api: &Arc<Api>, queues: &mut Queues) {
        let now = self.now();
        if !queues.queues.contains_key(source) {
            queues.queues.insert(source.to_owned(), Queue::default());
        }
        let Queues { queues, fetches, of } = queues;
        let Some(queue) = queues.get_mut(source).filter(|queue| queue.look_at <= now) else { return };
        if let Some(hints) = queue.scarce(now) {
            tracing::info!(
                source,
                hints,
                "slots for hints are scarce: the API's first 404 was believed, and these hints were dropped. If the PSP sent some of \
                 them, register records with the PSP's id, or let in only the PSP's addresses (ip_ranges)"
            );
        }
        let free = queue.budget.free(api.limits, now);
        let soon = later(now, LOOK_AT_LEAST_EVERY);
        if free.all == 0 {
            // A fetch that ends sets the time of the next look by itself.
            queue.look_at = queue.budget.next(api.limits, now).unwrap_or(soon).min(soon);
            return;
        }
        let under_way = queue.under_way.len();
        let sought = FetchesSought {
            source: source.to_owned(),
            now,
            most: free.all.saturating_add(under_way),
            strangers: free.strangers.saturating_add(under_way),
            slots: api.slots,
        };
        let (due, next) = match self.tools.store.due_fetches(sought).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(source, %error, "the store is in trouble: fetching waits until the store works again");
                queue.look_at = later(now, TROUBLE_WAIT);
                return;
            }
        };
        let due = queue.may_begin(due, free);
        let (begun, strangers) = (due.len(), due.iter().filter(|fetch| fetch.by == AskedBy::Stranger).count());
        for fetch in due {
            let trusted = fetch.by != AskedBy::Stranger;
            queue.budget.begin(api.limits, trusted, now);
            queue.under_way.insert(fetch.id);
            let begun = Begun { source: source.to_owned(), fetch: fetch.id, trusted };
            let (tools, source, api) = (Arc::clone(&self.tools), source.to_owned(), Arc::clone(api));
            let fetching = Fetching { tools, source, api, fetch };
            let task = fetches.spawn(async move { fetching.run().await });
            of.insert(task.id(), begun);
        }
        let more = (strangers == free.strangers).then(|| queue.budget.next_for_strangers(api.limits, now)).flatten();
        let next = next.into_iter().chain(more).min();
        queue.look_at = if begun == free.all { now } else { next.unwrap_or(soon).min(soon) };
    }

    /// Notes that a fetch has ended, so that there is room for another one.
    fn ended(&self, ended: Result<(Id, Ended), JoinError>, queues: &mut Queues) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(Begun { source, fetch, trusted }) = queues.of.remove(&task) else { return };
        let Some(queue) = queues.queues.get_mut(&source) else { return };
        queue.budget.end(trusted);
        queue.under_way.remove(&fetch);
        queue.look_at = Timestamp::MIN;
        let now = self.now();
        match ended {
            Ok((_, Ended { down: None, dropped, scarce })) => {
                queue.scarce.0 = queue.scarce.0.saturating_add(scarce);
                queue.dropped = queue.dropped.saturating_add(dropped);
                if dropped > 0 {
                    tracing::debug!(
                        source,
                        dropped = queue.dropped,
                        "hints came to nothing and were dropped, so many since the start"
                    );
                }
                if queue.budget.up() {
                    tracing::info!(source, "the PSP's API answers again: fetching goes on");
                }
            }
            Ok((_, Ended { down: Some(asked), .. })) => {
                if queue.budget.down(now, asked, fastrand::f64()) {
                    tracing::warn!(
                        source,
                        "the PSP's API does not answer, refuses our credentials or asks for quiet: one fetch at a time probes it"
                    );
                }
            }
            Err(error) => {
                tracing::error!(source, %error, "a fetch panicked: its object is looked at again");
                queue.look_at = later(now, TROUBLE_WAIT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_because_slots_are_scarce_is_told_once_a_minute() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut queue = Queue::default();
        let mut told = Vec::new();
        for second in 0..150 {
            queue.scarce.0 += u64::from(second < 100);
            told.extend(queue.scarce(at(second)));
        }
        assert_eq!(told, [1, 60, 39]);
    }

    fn fetch(id: i64, by: AskedBy) -> Fetch {
        Fetch {
            id,
            path: String::new(),
            asked: 1,
            attempts: 0,
            failing_since: None,
            missing_since: None,
            fetched_at: None,
            by,
            scarce: false,
        }
    }

    /// However many hints point to our objects: for each of these fetches, one of a stranger's objects is fetched.
    #[test]
    fn objects_of_ours_and_of_strangers_take_turns() {
        use AskedBy::{Hint, Psp, Stranger};
        let due = |psp: i64| {
            let some = |from, count, by| (from..from + count).map(move |id| fetch(id, by));
            some(0, psp, Psp).chain(some(100, 5, Hint)).chain(some(200, 5, Stranger)).collect::<Vec<_>>()
        };
        let mut queue = Queue::default();
        let mut begun = |psp, all, strangers| {
            let fetches = queue.may_begin(due(psp), Free { all, strangers });
            let ids: Vec<_> = fetches.iter().map(|fetch| fetch.id).collect();
            queue.under_way.extend(ids.iter().filter(|id| **id >= 100));
            ids
        };
        assert_eq!(begun(0, 1, 1), [100]);
        assert_eq!(begun(0, 1, 1), [200]);
        assert_eq!(begun(0, 3, 1), [101, 201, 102]);
        assert_eq!(begun(2, 3, 1), [0, 1, 202], "what the PSP asks for goes first");
        assert_eq!(begun(0, 2, 0), [103, 104], "a stranger has no more calls for now");
        assert_eq!(begun(0, 9, 9), [203, 204]);
        assert_eq!(begun(0, 9, 9), [0; 0]);
    }

    /// Regression: a removed source must not make the loop spin.
    #[test]
    fn a_source_that_fetches_no_more_is_not_waited_for() {
        let mut queues = Queues::default();
        queues.queues.insert("gone".to_owned(), Queue::default());
        assert_eq!(queues.until_next(&Apis::new(), Timestamp::UNIX_EPOCH), LOOK_AT_LEAST_EVERY);
    }
}
