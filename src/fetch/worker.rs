//! Who fetches: looks at what is due, asks within each source's budget, settles.

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
use crate::store::sqlite::Store;
use crate::store::{AskedBy, Fetch, FetchesSought, StoreError};

/// Rings when a source has something to be fetched. It carries no news of its own.
#[derive(Debug, Default)]
pub struct Signal {
    rung_for: Mutex<BTreeSet<String>>,
    given: Notify,
}

impl Signal {
    /// Rings for this source.
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

/// The worker. It takes no input: what is to be fetched is in the store.
#[derive(Debug)]
pub struct Worker {
    tools: Arc<Tools>,
    apis: Arc<ArcSwap<Apis>>,
    signal: Arc<Signal>,
}

/// What a source has under way. None waits for another.
#[derive(Debug)]
struct Queue {
    budget: Budget,
    under_way: BTreeSet<i64>,
    /// Whether a stranger's object is the next to be fetched, rather than one of ours at which a hint points.
    strangers_turn: bool,
    look_at: Timestamp,
    dropped: u64,
    /// Hints that came to nothing because slots are scarce, since that was logged; and when it may be logged again.
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

/// All that is under way.
#[derive(Debug, Default)]
struct Queues {
    queues: BTreeMap<String, Queue>,
    fetches: JoinSet<Ended>,
    of: HashMap<Id, Begun>,
}

impl Queue {
    /// How many hints came to nothing because slots are scarce, if that is to be logged now: once a minute.
    fn scarce(&mut self, now: Timestamp) -> Option<u64> {
        let (hints, tell_at) = self.scarce;
        let told = hints > 0 && tell_at <= now;
        told.then(|| {
            self.scarce = (0, later(now, TELL_EVERY));
            hints
        })
    }

    /// Those of the fetches that are due that may begin: what the PSP asks for first. Then objects of ours and of strangers
    /// take turns, for a stranger can know some of ours, and have hints at these take all calls.
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

/// A source is looked at at least so often.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// What a flood does is logged so often, summed up.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// When the store is in trouble or a fetch panicked, it is looked at again after this.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

impl Queues {
    /// How long nobody has to be looked at. A source that a reload took away, or that fetches no more, is not: its time would
    /// be over for ever.
    fn until_next(&self, apis: &Apis, now: Timestamp) -> Duration {
        let next = apis.keys().filter_map(|source| Some(self.queues.get(source)?.look_at)).min();
        let wait = next.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        wait.unwrap_or(LOOK_AT_LEAST_EVERY).min(LOOK_AT_LEAST_EVERY)
    }
}

impl Worker {
    /// A worker on this store, until `stop`.
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
        // The hosts of all sources share the client: with the least, no host keeps more open than its own calls are.
        let idle_max = apis.load_full().values().map(|api| api.limits.concurrency).min().unwrap_or(1);
        let client = Client::new(idle_max)?;
        let tools = Arc::new(Tools { store, client, clock, stop });
        Ok(Arc::new(Self { tools, apis, signal }))
    }

    /// Looks at what was not fetched before a restart. Says how much that is.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn recover(&self) -> Result<u32, StoreError> {
        let backlog = self.tools.store.resume_fetches(self.tools.clock.now(), ASKED_MAX).await?;
        let apis = self.apis.load_full();
        for (source, waiting) in backlog.iter().filter(|(source, _)| !apis.contains_key(source)) {
            tracing::warn!(source, waiting, "objects are to be fetched, but the source does not say how (any more)");
        }
        Ok(backlog.iter().map(|(_, waiting)| waiting).sum())
    }

    /// Fetches what is due until it is stopped; then finishes what is under way.
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
                "slots for hints are scarce: the API's first 404 was believed, and these hints are gone; if PSPs sent some of \
                 them, register records with the PSP's id, or let the PSP's addresses in only (ip_ranges)"
            );
        }
        let free = queue.budget.free(api.limits, now);
        let soon = later(now, LOOK_AT_LEAST_EVERY);
        if free.all == 0 {
            // One that ends is looked after by itself.
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
                tracing::error!(source, %error, "the store is in trouble; fetching waits");
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

    /// A fetch has ended: there is room for another one.
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
                    tracing::debug!(source, dropped = queue.dropped, "hints came to nothing, since the start");
                }
                if queue.budget.up() {
                    tracing::info!(source, "the PSP's API answers again");
                }
            }
            Ok((_, Ended { down: Some(asked), .. })) => {
                if queue.budget.down(now, asked, fastrand::f64()) {
                    tracing::warn!(source, "the PSP's API does not answer: one fetch at a time asks for all");
                }
            }
            Err(error) => {
                tracing::error!(source, %error, "a fetch panicked; its object is looked at again");
                queue.look_at = later(now, TROUBLE_WAIT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_because_places_are_scarce_is_told_once_a_minute() {
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

    /// However many hints point to objects of ours, one at a time or several: a stranger's is fetched for each of them.
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

    /// A wait of nothing, for ever, is a processor that does nothing else.
    #[test]
    fn a_source_that_fetches_no_more_is_not_waited_for() {
        let mut queues = Queues::default();
        queues.queues.insert("gone".to_owned(), Queue::default());
        assert_eq!(queues.until_next(&Apis::new(), Timestamp::UNIX_EPOCH), LOOK_AT_LEAST_EVERY);
    }
}
