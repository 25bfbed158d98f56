//! The record: the integrator's registration, the facts of PSP events, and a count of visible changes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::attempt::{self, Attempt};
use super::dispute::{Dispute, Said};
use super::event::{Booking, Chargeback, EarlierChargeback, Item, Why};
use super::fields::instant_or_day;
use super::ids::{RecordKey, TransformId};
use super::imported::{Imported, Known};
use super::money::Currency;
use super::stamp::{self, Stamp, Stamped};
use super::statement::{self, Statements, Told};
use super::status::{Status, StatusFact};
use super::total::{Totals, Unconfirmed};

/// One Preauth, Payment, Refund or Agreement.
///
/// A record holds claims, not conclusions: each fact with its stamp, each booking under its id. What Transform reads is
/// derived from them in [`super::view`]. The order in which the claims came therefore leaves no trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Kind and Transform id.
    pub key: RecordKey,
    /// The source whose events the record takes; none until it is registered with one or bound by its first event.
    pub source: Option<String>,
    /// Payment: whether only placed events have bound it to its source. It is bound to none once they have left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound_by_placed: bool,
    /// The time of the first registration.
    pub registered_at: Timestamp,
    /// The integrator's values.
    pub registered: Registered,
    /// The PSP's values.
    pub seen: Seen,
    /// Payment: what was placed here because the payment is the only capture of its preauthorization. It is taken back if
    /// another capture is registered.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub placed: Seen,
    /// Payment: the amount that each registered refund has given back, by the refund's Transform id.
    pub refunds: BTreeMap<TransformId, Decimal>,
    /// Payment: the registered refunds that are not confirmed, by the refund's Transform id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unconfirmed: BTreeMap<TransformId, Unconfirmed>,
    /// Payment: the registered refunds that the PSP has carried out as cancellations, by their Transform ids.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cancelled_by: BTreeSet<TransformId>,
    /// Preauthorization: the amount that each of its captures has booked, by the payment's Transform id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captures: BTreeMap<TransformId, Decimal>,
    /// Rises by one with every change that Transform can see; 1 when registered.
    pub version: u64,
    /// UTC, microseconds. Rises strictly with the version, whatever the clock does: by it Transform keeps an older version
    /// from overwriting a newer one (contract, section 3).
    pub last_updated: Timestamp,
}

/// The integrator's part of a record: PUT /records/{kind}/{id}.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registered {
    /// The PSP's id of the transaction or agreement, if it is already known.
    pub psp_id: Option<String>,
    /// The PSP's ids that the transaction was registered with before. Their events have reached it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub replaced: BTreeSet<String>,
    /// Agreement: the PSP's ids that were the agreement's before it was registered with another. What events say of them
    /// does not count.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub former: BTreeSet<String>,
    /// Agreement: the time at which it was last registered with another PSP id. Other means of payment that the PSP told of
    /// before are former ones, also if the relay hears of them later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_until: Option<Timestamp>,
    /// The webhook URL for this record; the configured default if absent.
    pub webhook_target: Option<String>,
    /// Major units.
    pub requested_amount: Option<Decimal>,
    /// The currency of all amounts of the record.
    pub currency: Option<Currency>,
    /// The agreement under which the transaction runs.
    pub agreement_id: Option<TransformId>,
    /// Payment: the preauthorization that the payment captures.
    pub preauth_id: Option<TransformId>,
    /// Refund: the payment that is refunded.
    pub payment_id: Option<TransformId>,
    /// The customer's payment data.
    pub bearer: BTreeMap<String, String>,
    /// The PSP's id of the transaction that `bearer` was registered with; none if that is the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_of: Option<String>,
    /// The time at which a later registration changed the payment data; none while they are those of the first one. Older
    /// events do not overrule them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_at: Option<Timestamp>,
    /// Preauthorization: when the reservation ends.
    pub expires_at: Option<Timestamp>,
    /// Payment by direct debit: the due date, an instant (contract, section 3a).
    #[serde(deserialize_with = "instant_or_day")]
    pub due_date: Option<Timestamp>,
    /// The URL at which the customer finishes the transaction.
    pub redirect_url: Option<String>,
    /// Preauthorization: what belongs to the redirect URL, such as the fields of a form.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub redirect_data: BTreeMap<String, String>,
    /// The payment stack's own id of the transaction. Without one, the record's key counts as that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Refund: its description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The state in the payment stack's answer to Transform. A PSP event overrules it, unless the event only says "under
    /// way" and the stack knows a state further on.
    pub status: Option<Status>,
    /// The state that the payment stack has stated with its time. It holds for all attempts, and newer news of one stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated: Option<Stamped<StatusFact>>,
    /// The time of the last version that Transform was told of, or read first; none if that is the newest one. Amendments made
    /// the versions since, and told nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Timestamp>,
    /// The facts of the newest import; none if the record was not imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported: Option<Box<Imported>>,
}

/// The PSP's part of a record: of each fact the one with the greatest stamp.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "EarlierSeen")]
pub struct Seen {
    /// The attempts at the record, in the order of their ids.
    pub attempts: Vec<Attempt>,
    /// Payment: bookings by the PSP's id.
    pub items: BTreeMap<String, Stamped<Item>>,
    /// Payment: disputes by the PSP's id.
    pub disputes: BTreeMap<String, Dispute>,
    /// Payment: statements of its accounts by the PSP's id, in the order of their times.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub statements: Statements,
    /// Payment: refunds that are not registered, in the order of their ids.
    pub refunds: Vec<Attempt>,
    /// Agreement: what is known of customers, by the PSP's ids. It holds for all their means of payment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub customers: BTreeMap<String, Stamped<StatusFact>>,
    /// Payment: the running totals of its bookings and refunds.
    #[serde(skip_serializing_if = "Totals::is_empty")]
    pub totals: Totals,
}

/// The PSP's part of a record, as any version of the relay stored it. The claims of earlier ones become one attempt.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct EarlierSeen {
    attempts: Vec<Attempt>,
    items: BTreeMap<String, Stamped<Item>>,
    disputes: BTreeMap<String, Dispute>,
    statements: Statements,
    refunds: Vec<Attempt>,
    customers: BTreeMap<String, Stamped<StatusFact>>,
    totals: Totals,
    // Until version 12 of the schema.
    status: Option<Stamped<StatusFact>>,
    psp_id: Option<Stamped<String>>,
    authorized: Option<Stamped<Decimal>>,
    expires_at: Option<Stamped<Timestamp>>,
    refunded: Option<Stamped<Decimal>>,
    bearer: Option<Stamped<BTreeMap<String, String>>>,
    chargebacks: BTreeMap<String, Stamped<EarlierChargeback>>,
    chargeback_reasons: BTreeMap<String, Stamped<Why>>,
    chargeback_amounts: BTreeMap<String, Stamped<Decimal>>,
}

impl From<EarlierSeen> for Seen {
    fn from(mut stored: EarlierSeen) -> Self {
        let mut attempts = std::mem::take(&mut stored.attempts);
        attempts.extend(stored.attempt());
        for (id, chargeback) in std::mem::take(&mut stored.chargebacks) {
            let dispute = stored.dispute(&id, chargeback);
            stored.disputes.insert(id, dispute);
        }
        let EarlierSeen { items, disputes, statements, refunds, customers, totals, .. } = stored;
        Self { attempts, items, disputes, statements, refunds, customers, totals }
    }
}

impl EarlierSeen {
    /// The one attempt that all earlier claims become.
    fn attempt(&mut self) -> Option<Attempt> {
        let mut status = self.status.take();
        if let Some(fact) = &mut status {
            fact.value.stands = fact.value.status.is_success();
        }
        let bearer = self.bearer.take().map(|Stamped { stamp, value }| {
            value.into_iter().map(|(name, value)| (name, Stamped { stamp: stamp.clone(), value })).collect()
        });
        let attempt = Attempt {
            status,
            name: self.psp_id.take(),
            authorized: self.authorized.take(),
            expires_at: self.expires_at.take(),
            refunded: self.refunded.take(),
            bearer: bearer.unwrap_or_default(),
            ..Attempt::default()
        };
        let ids = BTreeSet::from([attempt.name.as_ref().map(|name| name.value.clone()).unwrap_or_default()]);
        Some(attempt).filter(|attempt| *attempt != Attempt::default()).map(|attempt| Attempt { ids, ..attempt })
    }

    fn dispute(&mut self, id: &str, said: Stamped<EarlierChargeback>) -> Dispute {
        let Stamped { stamp, value } = said;
        let news = Chargeback::from(value);
        let amount = self.chargeback_amounts.remove(id);
        let is_gone = news.booking == Booking::Booked;
        Dispute {
            amount: amount.or_else(|| news.disputed.map(|value| Stamped { stamp: stamp.clone(), value })),
            went: is_gone.then(|| Stamped { stamp: stamp.clone(), value: news.date }).into_iter().collect(),
            said: Some(Stamped { stamp, value: Said { booking: news.booking, fee: news.fee, date: news.date } }),
            why: self.chargeback_reasons.remove(id),
            ..Dispute::default()
        }
    }
}

impl Seen {
    /// Whether no event has said anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The stamps of all facts.
    pub fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        let attempts = self.attempts.iter().chain(&self.refunds).flat_map(Attempt::stamps);
        let items = self.items.values().map(|item| &item.stamp);
        let customers = self.customers.values().map(|fact| &fact.stamp);
        let statements = self.statements.values().flatten().map(|statement| &statement.stamp);
        let disputes = self.disputes.values().flat_map(Dispute::stamps);
        attempts.chain(items).chain(disputes).chain(statements).chain(customers).chain(self.totals.stamps())
    }

    /// Takes over all that another telling of the same record knows.
    pub fn join(&mut self, other: Self) {
        attempt::join(&mut self.attempts, other.attempts);
        stamp::join_all(&mut self.items, other.items);
        for (id, dispute) in other.disputes {
            self.disputes.entry(id).or_default().join(dispute);
        }
        statement::join(&mut self.statements, other.statements);
        attempt::join(&mut self.refunds, other.refunds);
        stamp::join_all(&mut self.customers, other.customers);
        self.totals.join(other.totals);
    }
}

impl Record {
    /// A record as it is registered, before any event: its first version.
    #[must_use]
    pub fn new(key: RecordKey, source: Option<String>, registered_at: Timestamp, registered: Registered) -> Self {
        Self {
            key,
            source,
            bound_by_placed: false,
            registered_at,
            registered,
            seen: Seen::default(),
            placed: Seen::default(),
            refunds: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            cancelled_by: BTreeSet::new(),
            captures: BTreeMap::new(),
            version: 1,
            last_updated: registered_at,
        }
    }

    /// Counts one visible change at `now` of which Transform is told: the version rises by one and `last_updated` rises strictly.
    pub fn bump(&mut self, now: Timestamp) {
        self.registered.silent_since = None;
        self.rise(now);
    }

    /// Counts one visible change at `now` that tells nobody.
    pub fn bump_in_silence(&mut self, now: Timestamp) {
        self.registered.silent_since.get_or_insert(self.last_updated);
        self.rise(now);
    }

    fn rise(&mut self, now: Timestamp) {
        self.version += 1;
        self.last_updated = now.max(self.last_updated + jiff::SignedDuration::from_micros(1));
    }

    /// Whether no event has said anything of the record, of its refunds or of its captures, and no import has stated money of it.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.touched_by().is_none()
    }

    /// Whether no event has said anything of the record, of its refunds or of its captures.
    pub(super) fn is_without_events(&self) -> bool {
        let Self { seen, placed, refunds, cancelled_by, captures, .. } = self;
        let is_without_children = refunds.is_empty() && cancelled_by.is_empty() && captures.is_empty();
        seen.is_empty() && placed.is_empty() && is_without_children
    }

    /// What ties the record to its currency, its source and its relatives, in words; none while nothing does.
    #[must_use]
    pub fn touched_by(&self) -> Option<String> {
        if !self.is_without_events() {
            return Some("events have been applied to it".to_owned());
        }
        let imported = self.registered.imported.as_ref()?.told(self.registered.currency)?;
        Some(format!("an import has stated {imported} of it"))
    }

    /// The payment to which a refund belongs.
    #[must_use]
    pub const fn parent_payment(&self) -> Option<&TransformId> {
        self.registered.payment_id.as_ref()
    }

    /// Payment: gives up what is known of the refund with this Transform id, which goes by these PSP ids.
    pub fn give_up_refund(&mut self, id: &TransformId, psp_ids: &[String]) -> Vec<Attempt> {
        let mut given = attempt::take_out(&mut self.seen.refunds, psp_ids, id);
        given.extend(attempt::take_out(&mut self.placed.refunds, psp_ids, id));
        given
    }

    /// Takes over attempts that another record knew. They need no reference any more: this record is the one.
    pub fn take_over(&mut self, mut attempts: Vec<Attempt>) {
        attempts.iter_mut().for_each(|attempt| attempt.references.clear());
        attempt::join(&mut self.seen.attempts, attempts);
    }

    /// The PSP's values, with those that were placed here or imported. The bookings that its statements show stand among the others.
    #[must_use]
    pub fn claims(&self) -> Cow<'_, Seen> {
        let mut claims = self.said();
        if !claims.statements.is_empty() {
            let Seen { statements, items, disputes, .. } = claims.to_mut();
            statement::settle(statements, items, disputes);
        }
        claims
    }

    /// The sum that its accounts have given back; none if nothing is stated of any account.
    pub(super) fn given_back(&self) -> Option<Decimal> {
        let said = self.said();
        statement::given_back(&said.statements, Told { items: &said.items, disputes: &said.disputes })
    }

    /// The amount that the record is about as a whole: what an import states, else what was asked for.
    pub(super) fn whole(&self) -> Option<Decimal> {
        self.registered.imported.as_ref().and_then(|imported| imported.amount).or(self.registered.requested_amount)
    }

    /// The PSP's values as events said them, with those that were placed here, and those that were imported under PSP ids.
    fn said(&self) -> Cow<'_, Seen> {
        let mut said = Cow::Borrowed(&self.seen);
        if !self.placed.is_empty() {
            said.to_mut().join(self.placed.clone());
        }
        if let Some(imported) = &self.registered.imported {
            let Seen { items, disputes, refunds, .. } = said.to_mut();
            imported.join(Known { items, disputes, refunds });
        }
        said
    }
}
