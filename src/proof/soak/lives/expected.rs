//! The expected truth of one record. The life keeps it by plain bookkeeping, in the order of the happenings at the PSP. It
//! knows nothing of the relay's way to the same truth.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attempt::{Attempt, State};
use super::money::Currency;
use crate::domain::ids::Kind;

pub(super) use super::attempt::Why;

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
    /// The agreement under which a payment runs.
    pub(super) agreement: Option<String>,
    /// `None` for agreements without one.
    pub(super) currency: Option<Currency>,
    pub(super) requested: i64,
    pub(super) bearer: BTreeMap<String, String>,
    pub(super) redirect_url: Option<String>,
    pub(super) due_date: Option<String>,
    /// The attempts, in the order in which they began. A life without a word of attempts has one.
    pub(super) attempts: Vec<Attempt>,
    /// The attempt that goes on now.
    current: usize,
    pub(super) bookings: BTreeMap<String, Booking>,
    pub(super) disputes: BTreeMap<String, Dispute>,
    /// Of a payment, the sum that its refunds gave back.
    pub(super) given_back: i64,
    /// Of a preauthorization, the sum that its captures brought.
    pub(super) captured: i64,
}

/// Money that came.
#[derive(Debug, Clone)]
pub(super) struct Booking {
    pub(super) amount: i64,
    pub(super) at: Timestamp,
    /// The attempt that brought it.
    pub(super) attempt: usize,
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
    pub(super) fn new(kind: Kind, id: String, currency: Option<Currency>, requested: i64) -> Self {
        Self {
            kind,
            id,
            registered_psp_id: None,
            parent: None,
            agreement: None,
            currency,
            requested,
            bearer: BTreeMap::new(),
            redirect_url: None,
            due_date: None,
            attempts: vec![Attempt::default()],
            current: 0,
            bookings: BTreeMap::new(),
            disputes: BTreeMap::new(),
            given_back: 0,
            captured: 0,
        }
    }

    /// Begins an attempt, or goes on with an earlier one.
    pub(super) fn tries(&mut self, id: &str) {
        let known = self.attempts.iter().position(|attempt| attempt.id == id);
        self.current = known.unwrap_or_else(|| {
            self.attempts.push(Attempt::new(id));
            self.attempts.len() - 1
        });
    }

    fn attempt(&mut self) -> &mut Attempt {
        if self.attempts.is_empty() {
            self.attempts.push(Attempt::default());
        }
        let last = self.attempts.len() - 1;
        let current = self.current.min(last);
        &mut self.attempts[current]
    }

    /// Notes that the PSP names this state, and the id by which it calls the record.
    pub(super) fn says(&mut self, at: Timestamp, state: &'static str, psp_id: &str) {
        self.fails(at, state, psp_id, Why::default());
    }

    /// Notes that the PSP names this state, with a failure. An empty id counts as no id.
    pub(super) fn fails(&mut self, at: Timestamp, state: &'static str, psp_id: &str, why: Why) {
        // A setup that is under way has an id of its own; the agreement goes by the means of payment that it makes.
        let is_poor = match self.kind {
            Kind::Agreement => state != "Active",
            _ => matches!(state, "Failed" | "Cancelled" | "Expired"),
        };
        self.attempt().says(State { name: state, since: at, why }, psp_id, is_poor);
    }

    /// The attempt from which the record has its state: the last news of a success, else the last news of any attempt. An
    /// attempt that has only begun says nothing beside others.
    pub(super) fn leading(&self) -> Option<&Attempt> {
        let weight = |attempt: &Attempt, state: &State| (attempt.stands(), state.name != "Initiated", state.since);
        let told = self.attempts.iter().filter_map(|attempt| Some((attempt, attempt.state.as_ref()?)));
        told.max_by_key(|(attempt, state)| weight(attempt, state)).map(|(attempt, _)| attempt)
    }

    pub(super) fn state(&self) -> &State {
        self.leading().and_then(|attempt| attempt.state.as_ref()).unwrap_or(&State::NEW)
    }

    /// The attempts that have succeeded, and that nothing has undone.
    pub(super) fn standing(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.stands())
    }

    /// Whether the PSP has named no other state than `Initiated` yet.
    pub(super) fn is_new(&self) -> bool {
        self.state().name == "Initiated"
    }

    pub(super) fn reserves(&mut self, amount: i64) {
        self.attempt().authorized = amount;
    }

    pub(super) fn reserves_until(&mut self, at: Timestamp) {
        self.attempt().expires_at = Some(at);
    }

    /// Notes the amount of a refund.
    pub(super) fn gives_back(&mut self, amount: i64) {
        self.attempt().given_back = amount;
    }

    /// Of a refund, the amount that it gave back.
    pub(super) fn refunded(&self) -> i64 {
        self.standing().map(|attempt| attempt.given_back).sum()
    }

    /// Notes that money came, under the PSP's id of the booking.
    pub(super) fn books(&mut self, id: &str, amount: i64, at: Timestamp) {
        let attempt = self.current;
        self.bookings.insert(id.to_owned(), Booking { amount, at, attempt });
    }

    /// Notes that this money did not come, or was taken back.
    pub(super) fn unbooks(&mut self, id: &str) {
        self.bookings.remove(id);
    }

    pub(super) fn paid(&self) -> i64 {
        self.bookings.values().map(|booking| booking.amount).sum()
    }

    pub(super) fn dispute(&mut self, id: &str) -> &mut Dispute {
        self.disputes.entry(id.to_owned()).or_default()
    }

    pub(super) fn shows_bearer(&mut self, bearer: &[(&str, &str)]) {
        self.attempt().bearer = bearer.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }

    /// The payment data that Transform reads. Those of different attempts are not mixed. The registered ones belong to the
    /// registered attempt, else to the first good one.
    pub(super) fn shown_bearer(&self) -> BTreeMap<String, String> {
        let payer = self.bookings.values().max_by_key(|booking| booking.at);
        let shown = payer.and_then(|booking| self.attempts.get(booking.attempt)).or_else(|| self.leading());
        let Some(shown) = shown else { return self.bearer.clone() };
        let told = self.attempts.iter().filter(|attempt| attempt.state.is_some());
        let is_alone = told.clone().count() < 2;
        let registered = told.clone().find(|attempt| self.registered_psp_id.as_ref() == Some(&attempt.id));
        let first = told.clone().min_by_key(|attempt| attempt.name());
        let owner = if self.registered_psp_id.is_some() { registered } else { first };
        let is_own = is_alone || owner.is_some_and(|owner| owner.id == shown.id);
        let says_nothing = !shown.stands() && shown.bearer.is_empty();
        let mut bearer = if is_own || says_nothing { self.bearer.clone() } else { BTreeMap::new() };
        bearer.extend(shown.bearer.clone());
        bearer
    }

    /// The PSP's id: the registered one, else the first one of the attempts that have succeeded, else of any attempt.
    pub(super) fn psp_id(&self) -> Option<&str> {
        let registered = self.registered_psp_id.as_deref();
        let standing = || self.standing().filter_map(Attempt::name).min();
        let any = || self.attempts.iter().filter_map(Attempt::name).min();
        registered.or_else(|| standing().or_else(any).map(|(.., id)| id))
    }
}
