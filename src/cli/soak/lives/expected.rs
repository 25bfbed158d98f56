//! What is true of one record: kept by the life as it happens at the PSP, in its order, by plain bookkeeping. It knows
//! nothing of how the relay comes to the same.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::money::Currency;
use crate::domain::ids::Kind;

/// What a record must be in the end.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) kind: Kind,
    /// Transform's id.
    pub(super) id: String,
    /// The PSP's id, if the payment stack registers it.
    pub(super) registered_psp_id: Option<String>,
    /// The payment that a refund refunds, the preauthorization that a payment captures.
    pub(super) parent: Option<String>,
    /// None for agreements without one.
    pub(super) currency: Option<Currency>,
    pub(super) requested: i64,
    pub(super) bearer: BTreeMap<String, String>,
    pub(super) redirect_url: Option<String>,
    pub(super) due_date: Option<String>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) state: State,
    pub(super) authorized: Option<i64>,
    pub(super) bookings: BTreeMap<String, (i64, Timestamp)>,
    pub(super) disputes: BTreeMap<String, Dispute>,
    /// Payment: what its refunds have given back; refund: what it is for.
    pub(super) given_back: i64,
    /// The PSP's id as its notifications give it: of the first one, those of attempts that failed last.
    pub(super) named: (Option<String>, Option<String>),
    pub(super) seen_bearer: BTreeMap<String, String>,
}

/// The state that the PSP named last.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// The contract's name.
    pub(super) name: &'static str,
    pub(super) since: Timestamp,
    pub(super) why: Why,
}

/// Why a record is in error.
#[derive(Debug, Clone, Default)]
pub(super) struct Why {
    /// The contract's code.
    pub(super) code: Option<&'static str>,
    pub(super) psp_code: Option<String>,
    pub(super) message: Option<String>,
}

/// A chargeback and where its money is.
#[derive(Debug, Clone, Default)]
pub(super) struct Dispute {
    pub(super) amount: i64,
    pub(super) fee: Option<i64>,
    pub(super) reason: &'static str,
    pub(super) psp_code: Option<String>,
    pub(super) psp_message: Option<String>,
    /// The day that the money went; none while it is (or is back) with the merchant.
    pub(super) gone: Option<Timestamp>,
}

impl Expected {
    pub(super) const fn new(kind: Kind, id: String, currency: Option<Currency>, requested: i64) -> Self {
        let state = State {
            name: "Initiated",
            since: Timestamp::UNIX_EPOCH,
            why: Why { code: None, psp_code: None, message: None },
        };
        Self {
            kind,
            id,
            registered_psp_id: None,
            parent: None,
            currency,
            requested,
            bearer: BTreeMap::new(),
            redirect_url: None,
            due_date: None,
            expires_at: None,
            state,
            authorized: None,
            bookings: BTreeMap::new(),
            disputes: BTreeMap::new(),
            given_back: 0,
            named: (None, None),
            seen_bearer: BTreeMap::new(),
        }
    }

    /// The PSP says that the record is in this state, and calls it so.
    pub(super) fn says(&mut self, at: Timestamp, state: &'static str, psp_id: &str) {
        self.fails(at, state, psp_id, Why::default());
    }

    /// The same of a state that is an error, with the reason. An empty id is none.
    pub(super) fn fails(&mut self, at: Timestamp, state: &'static str, psp_id: &str, why: Why) {
        self.state = State { name: state, since: at, why };
        let name = if is_error(state) { &mut self.named.1 } else { &mut self.named.0 };
        if !psp_id.is_empty() {
            name.get_or_insert_with(|| psp_id.to_owned());
        }
    }

    /// Whether the PSP has named a state yet.
    pub(super) fn is_new(&self) -> bool {
        self.state.name == "Initiated"
    }

    pub(super) const fn reserves(&mut self, amount: i64) {
        self.authorized = Some(amount);
    }

    /// Money has come, under the PSP's id of the booking.
    pub(super) fn books(&mut self, id: &str, amount: i64, at: Timestamp) {
        self.bookings.insert(id.to_owned(), (amount, at));
    }

    /// That money is not there, or no more.
    pub(super) fn unbooks(&mut self, id: &str) {
        self.bookings.remove(id);
    }

    pub(super) fn dispute(&mut self, id: &str) -> &mut Dispute {
        self.disputes.entry(id.to_owned()).or_default()
    }

    pub(super) fn shows_bearer(&mut self, bearer: &[(&str, &str)]) {
        self.seen_bearer = bearer.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }
}

pub(super) fn is_error(state: &str) -> bool {
    matches!(state, "Failed" | "Cancelled" | "Expired")
}
