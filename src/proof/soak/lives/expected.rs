//! The expected truth of one record. The life keeps it by plain bookkeeping, in the order of the happenings at the PSP. It
//! knows nothing of the relay's way to the same truth.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::money::Currency;
use crate::domain::ids::Kind;

/// The state that a record must have in the end.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) kind: Kind,
    /// The Transform id.
    pub(super) id: String,
    /// The PSP's id, if the payment stack registers it.
    pub(super) registered_psp_id: Option<String>,
    /// Of a refund, its payment. Of a payment, the preauthorization that it captures.
    pub(super) parent: Option<String>,
    /// `None` for agreements without one.
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
    /// Of a payment, the sum that its refunds gave back. Of a refund, its amount.
    pub(super) given_back: i64,
    /// The PSP's ids from its notifications: the first one beside a good state, and the first one beside an end without success.
    /// The second counts only without the first.
    pub(super) named: (Option<String>, Option<String>),
    pub(super) seen_bearer: BTreeMap<String, String>,
}

/// The state named last by the PSP.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// The contract's name.
    pub(super) name: &'static str,
    pub(super) since: Timestamp,
    pub(super) why: Why,
}

/// The failure that the PSP named.
#[derive(Debug, Clone, Default)]
pub(super) struct Why {
    /// The contract's code.
    pub(super) code: Option<&'static str>,
    pub(super) psp_code: Option<String>,
    pub(super) message: Option<String>,
}

/// A chargeback and the whereabouts of its money.
#[derive(Debug, Clone, Default)]
pub(super) struct Dispute {
    pub(super) amount: i64,
    pub(super) fee: Option<i64>,
    pub(super) reason: &'static str,
    pub(super) psp_code: Option<String>,
    pub(super) psp_message: Option<String>,
    /// The day on which the money went. `None` while the merchant has it, or has it back.
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

    /// Notes that the PSP names this state, and the id by which it calls the record.
    pub(super) fn says(&mut self, at: Timestamp, state: &'static str, psp_id: &str) {
        self.fails(at, state, psp_id, Why::default());
    }

    /// Notes that the PSP names this state, with a failure. An empty id counts as no id.
    pub(super) fn fails(&mut self, at: Timestamp, state: &'static str, psp_id: &str, why: Why) {
        self.state = State { name: state, since: at, why };
        let name = if has_ended(state) { &mut self.named.1 } else { &mut self.named.0 };
        if !psp_id.is_empty() {
            name.get_or_insert_with(|| psp_id.to_owned());
        }
    }

    /// Whether the PSP has named no other state than `Initiated` yet.
    pub(super) fn is_new(&self) -> bool {
        self.state.name == "Initiated"
    }

    pub(super) const fn reserves(&mut self, amount: i64) {
        self.authorized = Some(amount);
    }

    /// Notes that money came, under the PSP's id of the booking.
    pub(super) fn books(&mut self, id: &str, amount: i64, at: Timestamp) {
        self.bookings.insert(id.to_owned(), (amount, at));
    }

    /// Notes that this money did not come, or was taken back.
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

fn has_ended(state: &str) -> bool {
    matches!(state, "Failed" | "Cancelled" | "Expired")
}
