//! One attempt at a record: a reservation, a payment, a refund, or a means of payment of an agreement.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// An attempt, with the last news of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempt {
    /// The PSP's id by which the life calls it.
    pub(super) id: String,
    /// The last state that the PSP named.
    pub(super) state: Option<State>,
    /// The PSP's id beside the first good state, and beside the first end without success, each with its time. The second
    /// counts only without the first.
    pub(super) named: [Option<(Timestamp, String)>; 2],
    pub(super) authorized: i64,
    pub(super) expires_at: Option<Timestamp>,
    /// Of a refund, its amount.
    pub(super) given_back: i64,
    pub(super) bearer: BTreeMap<String, String>,
}

/// A state named by the PSP.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// The contract's name.
    pub(super) name: &'static str,
    pub(super) since: Timestamp,
    pub(super) why: Why,
}

impl State {
    pub(super) const NEW: Self = Self {
        name: "Initiated",
        since: Timestamp::UNIX_EPOCH,
        why: Why { code: None, psp_code: None, message: None },
    };
}

/// The failure that the PSP named.
#[derive(Debug, Clone, Default)]
pub(super) struct Why {
    /// The contract's code.
    pub(super) code: Option<&'static str>,
    pub(super) psp_code: Option<String>,
    pub(super) message: Option<String>,
}

impl Attempt {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// Whether it has succeeded, and nothing has undone that.
    pub(super) fn stands(&self) -> bool {
        self.state.as_ref().is_some_and(|state| matches!(state.name, "Succeeded" | "Active"))
    }

    /// `is_poor` says that another state gives a better name.
    pub(super) fn says(&mut self, state: State, psp_id: &str, is_poor: bool) {
        let name = &mut self.named[usize::from(is_poor)];
        if !psp_id.is_empty() {
            name.get_or_insert_with(|| (state.since, psp_id.to_owned()));
        }
        self.state = Some(state);
    }

    /// Its first name, with an order among names.
    pub(super) fn name(&self) -> Option<(usize, Timestamp, &str)> {
        let named = self.named.iter().enumerate();
        named.filter_map(|(rank, name)| name.as_ref().map(|(at, id)| (rank, *at, id.as_str()))).next()
    }
}
