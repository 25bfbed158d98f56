//! Disputes of a payment, and the chargebacks that come of them. Money is taken and given back in movements. Where the
//! movements are known they decide; else the words of the events do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::due::utc_date;
use super::event::{Booking, Chargeback, Movement, Why};
use super::stamp::{self, Stamp, Stamped, Written};

/// The most days of one dispute on which the money was gone that are kept. The first one counts.
const DAYS_MAX: usize = 100;

/// What is known of one dispute. Later events of a dispute need not repeat its amount and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dispute {
    /// Whether the money is gone, in the words of the events.
    pub said: Option<Stamped<Said>>,
    /// The days on which the money was gone in the words of the events, since it last came back, in the order of their stamps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub went: Vec<Stamped<Date>>,
    /// The last word that the money came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<Stamp>,
    /// Whether an event has ever said that the money was gone. It may have come back since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub was_gone: bool,
    /// The disputed amount, major units.
    pub amount: Option<Stamped<Decimal>>,
    /// The reason.
    pub why: Option<Stamped<Why>>,
    /// The movements of money by the PSP's ids; none if no event listed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub movements: Option<BTreeMap<String, Stamped<Movement>>>,
    /// The PSP's ids of the bookings that are disputed, where the PSP's reversals name no dispute.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub bookings: BTreeSet<String>,
}

/// A dispute in the words of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Whether the money is gone.
    pub booking: Booking,
    /// The PSP's charge for the chargeback, major units.
    pub fee: Option<Decimal>,
    /// The day of the event's booking.
    pub date: Date,
}

/// A chargeback that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedChargeback {
    /// The PSP's id of the dispute.
    pub id: String,
    /// Major units.
    pub amount: Decimal,
    /// The PSP's charge for the chargeback, major units.
    pub fee: Option<Decimal>,
    /// The day on which the money went.
    pub date: Date,
    /// The reason, if any event named one.
    pub why: Option<Why>,
}

/// The chargebacks that stand, of a payment that received `paid`, with further ones. Money that came back without naming its dispute is taken off
/// the chargeback of the same amount, else off the first ones. A chargeback without a reason shows that of the disputes of the
/// same booking, if they all name the same one.
pub(super) fn chargebacks(
    disputes: &BTreeMap<String, Dispute>,
    paid: Decimal,
    add_further: impl FnOnce(&mut Vec<BookedChargeback>),
) -> Vec<BookedChargeback> {
    let with_why = |(id, dispute): (&String, &Dispute)| {
        let chargeback = dispute.chargeback(id, paid)?;
        let why = chargeback.why.or_else(|| why_of(&dispute.bookings, disputes));
        Some(BookedChargeback { why, ..chargeback })
    };
    let mut standing: Vec<_> = disputes.iter().filter_map(with_why).collect();
    add_further(&mut standing);
    for mut returned in disputes.values().filter_map(Dispute::returned) {
        let same = standing.iter().position(|chargeback| chargeback.amount == returned).unwrap_or(0);
        for chargeback in standing.iter_mut().skip(same) {
            let part = returned.min(chargeback.amount);
            (chargeback.amount, returned) = (chargeback.amount - part, returned - part);
        }
        standing.retain(|chargeback| chargeback.amount > Decimal::ZERO);
    }
    standing
}

impl Dispute {
    /// Writes what an event says of the dispute. `stamp` is that of its words.
    pub(super) fn write(&mut self, news: &Chargeback, stamp: &Stamp, written: &mut Vec<Written>) {
        let Chargeback { booking, fee, date, .. } = *news;
        written.push(stamp::write(&mut self.said, stamp, Said { booking, fee, date }));
        self.was_gone |= booking == Booking::Booked;
        match booking {
            Booking::Booked => self.gone([Stamped { stamp: stamp.clone(), value: date }]),
            Booking::Reversed => self.came_back(Some(stamp.clone())),
            Booking::Open => {}
        }
        written.extend(news.disputed.map(|amount| stamp::write(&mut self.amount, stamp, amount)));
        written.extend(news.why.clone().map(|why| stamp::write(&mut self.why, stamp, why)));
        self.bookings.extend(news.of.clone());
        if let Some(news) = &news.movements {
            let movements = self.movements.get_or_insert_default();
            written.extend(news.iter().map(|one| write_movement(movements, stamp, one)));
        }
    }

    /// Takes over all that another telling of this dispute knows.
    pub(super) fn join(&mut self, other: Self) {
        stamp::join(&mut self.said, other.said);
        self.gone(other.went);
        self.came_back(other.back);
        self.was_gone |= other.was_gone;
        stamp::join(&mut self.amount, other.amount);
        stamp::join(&mut self.why, other.why);
        self.bookings.extend(other.bookings);
        if let Some(movements) = other.movements {
            let own = self.movements.get_or_insert_default();
            for other in movements.into_values() {
                write_movement(own, &other.stamp, &other.value);
            }
        }
    }

    /// Takes over what an import states of this dispute. An event that says "under way" is older news.
    pub(super) fn join_imported(&mut self, stated: Self) {
        let is_open = |said: &Stamped<Said>| said.value.booking == Booking::Open && self.back.is_none();
        if self.said.as_ref().is_some_and(is_open) {
            self.said = None;
        }
        self.join(stated);
    }

    /// Notes days on which the money was gone. Days of before it last came back do not count; past a number the last ones do not.
    fn gone(&mut self, days: impl IntoIterator<Item = Stamped<Date>>) {
        for day in days.into_iter().filter(|day| self.back.as_ref().is_none_or(|back| day.stamp > *back)) {
            let place = self.went.partition_point(|other| other.stamp < day.stamp);
            if self.went.get(place).is_none_or(|other| other.stamp != day.stamp) {
                self.went.insert(place, day);
            }
        }
        self.went.truncate(DAYS_MAX);
    }

    /// Notes that the money came back, if that is the last word of that.
    fn came_back(&mut self, stamp: Option<Stamp>) {
        self.back = self.back.take().max(stamp);
        self.went.retain(|day| self.back.as_ref().is_none_or(|back| day.stamp > *back));
    }

    /// The stamps of all facts.
    pub(super) fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        let said = self.said.iter().map(|fact| &fact.stamp).chain(self.amount.iter().map(|fact| &fact.stamp));
        let moved = self.movements.iter().flatten().map(|(_, fact)| &fact.stamp);
        said.chain(self.why.iter().map(|fact| &fact.stamp)).chain(moved)
    }

    /// The booking in the words of the events; a dispute with movements counts as booked.
    pub(super) fn booking(&self) -> Booking {
        let said = self.said.as_ref().map_or(Booking::Open, |said| said.value.booking);
        if self.movements.as_ref().is_some_and(|movements| !movements.is_empty()) { Booking::Booked } else { said }
    }

    /// The money that came back, if it is all that is known: its events name neither a dispute nor a disputed amount.
    fn returned(&self) -> Option<Decimal> {
        let movements = self.movements.as_ref().filter(|_| self.amount.is_none())?;
        let is_return = |movement: &Movement| movement.amount > Decimal::ZERO && movement.currency.is_none();
        let mut moved = movements.values().map(|movement| &movement.value);
        moved.all(is_return).then(|| movements.values().map(|movement| movement.value.amount).sum())
    }

    /// The chargeback that stands for this dispute of a payment that received `paid`.
    ///
    /// A chargeback of unknown amount counts as all that was paid: that may be too much, but never too little.
    #[must_use]
    pub fn chargeback(&self, id: &str, paid: Decimal) -> Option<BookedChargeback> {
        let why = self.why.as_ref().map(|why| why.value.clone());
        let disputed = self.amount.as_ref().map(|amount| amount.value);
        let (amount, fee, date) = match &self.movements {
            Some(movements) => moved(movements, disputed, paid)?,
            None => {
                let said = &self.said.as_ref().filter(|said| said.value.booking == Booking::Booked)?.value;
                (disputed.unwrap_or(paid), said.fee, self.went.first().map_or(said.date, |day| day.value))
            }
        };
        (amount > Decimal::ZERO).then(|| BookedChargeback { id: id.to_owned(), amount, fee, date, why })
    }

    /// The most that events have ever said to be gone, whatever came back since, of a payment that received `paid`.
    pub(super) fn once_gone(&self, paid: Decimal) -> Decimal {
        let disputed = self.amount.as_ref().map(|amount| amount.value);
        match &self.movements {
            Some(movements) if !movements.is_empty() => most_taken(movements, disputed, paid),
            _ if self.was_gone => disputed.unwrap_or(paid),
            _ => Decimal::ZERO,
        }
    }
}

/// The reason that the disputes of these bookings name, if they do not name several.
fn why_of(bookings: &BTreeSet<String>, disputes: &BTreeMap<String, Dispute>) -> Option<Why> {
    let others = disputes.values().filter(|dispute| !dispute.bookings.is_disjoint(bookings));
    let mut named = others.filter_map(|dispute| dispute.why.as_ref()).map(|why| &why.value);
    let first = named.next()?;
    named.all(|other| other == first).then(|| first.clone())
}

/// Writes a movement. Its time is the earliest that any event gives: an event may give its own time only.
fn write_movement(movements: &mut BTreeMap<String, Stamped<Movement>>, stamp: &Stamp, news: &Movement) -> Written {
    let earlier = movements.get(&news.id).map_or(news.at, |old| old.value.at.min(news.at));
    let written = stamp::write_in(movements, &news.id, stamp, news);
    if let Some(movement) = movements.get_mut(&news.id) {
        movement.value.at = earlier;
    }
    written
}

/// The movements in the order of their times.
fn in_order(movements: &BTreeMap<String, Stamped<Movement>>) -> Vec<&Movement> {
    let mut movements: Vec<&Movement> = movements.values().map(|movement| &movement.value).collect();
    movements.sort_by_key(|movement| (movement.at, &movement.id));
    movements
}

/// The amount of a movement in the payment's currency. In another currency the first withdrawal is the disputed amount, and the
/// others are in proportion to it.
fn own_amount(movements: &[&Movement], disputed: Decimal) -> impl Fn(&Movement) -> Decimal + use<> {
    let abroad = movements.iter().find(|movement| movement.currency.is_some() && movement.amount < Decimal::ZERO);
    let rate = abroad.and_then(|first| disputed.checked_div(-first.amount));
    let places = disputed.scale().max(2);
    move |movement| match movement.currency {
        Some(_) => (movement.amount * rate.unwrap_or_default()).round_dp(places).normalize(),
        None => movement.amount,
    }
}

/// The most that the movements have left taken at any time. Of one time the withdrawals come first.
fn most_taken(movements: &BTreeMap<String, Stamped<Movement>>, disputed: Option<Decimal>, paid: Decimal) -> Decimal {
    let movements = in_order(movements);
    let own = own_amount(&movements, disputed.unwrap_or(paid));
    let mut amounts: Vec<_> = movements.iter().map(|movement| (movement.at, own(movement))).collect();
    amounts.sort_unstable();
    let (mut taken, mut most) = (Decimal::ZERO, Decimal::ZERO);
    for (_, amount) in amounts {
        taken -= amount;
        most = most.max(taken);
    }
    disputed.map_or(most, |disputed| most.min(disputed))
}

/// The amount that the movements leave taken, their fees, and the day of the first withdrawal.
fn moved(
    movements: &BTreeMap<String, Stamped<Movement>>,
    disputed: Option<Decimal>,
    paid: Decimal,
) -> Option<(Decimal, Option<Decimal>, Date)> {
    let movements = in_order(movements);
    let first = movements.iter().find(|movement| movement.amount < Decimal::ZERO)?;
    let own = own_amount(&movements, disputed.unwrap_or(paid));
    let taken: Decimal = -movements.iter().map(|movement| own(movement)).sum::<Decimal>();
    let fees = movements.iter().filter(|movement| movement.currency.is_none()).filter_map(|movement| movement.fee);
    let fee = Some(fees.sum::<Decimal>()).filter(|fee| *fee > Decimal::ZERO);
    Some((disputed.map_or(taken, |most| taken.min(most)), fee, utc_date(first.at)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::status::ChargebackReason;

    fn movement(amount: i64) -> BTreeMap<String, Stamped<Movement>> {
        let at = Timestamp::UNIX_EPOCH;
        let stamp = Stamp { at, rank: 0, tie: String::new() };
        let value = Movement { id: "m".into(), amount: amount.into(), currency: None, fee: None, at };
        BTreeMap::from([("m".to_owned(), Stamped { stamp, value })])
    }

    /// The amounts of the chargebacks after these withdrawals, and after money that came back without a dispute.
    fn left(withdrawn: &[i64], returned: &[i64]) -> Vec<i64> {
        let named = |(n, amount): (usize, &i64)| {
            (format!("{n}"), Dispute { movements: Some(movement(-amount)), ..Dispute::default() })
        };
        let unnamed = |(n, amount): (usize, &i64)| {
            (format!("returned {n}"), Dispute { movements: Some(movement(*amount)), ..Dispute::default() })
        };
        let disputes =
            withdrawn.iter().enumerate().map(named).chain(returned.iter().enumerate().map(unnamed)).collect();
        let chargebacks = chargebacks(&disputes, Decimal::ONE_HUNDRED, |_| ());
        chargebacks.iter().map(|chargeback| chargeback.amount.try_into().unwrap()).collect()
    }

    #[test]
    fn money_that_came_back_without_a_dispute_is_taken_off_the_chargebacks() {
        assert_eq!(left(&[20, 30], &[]), [20, 30]);
        assert_eq!(left(&[20, 30], &[30]), [20], "the one of the same amount");
        assert_eq!(left(&[20, 30], &[25]), [25], "the first ones");
        assert_eq!(left(&[20, 30], &[5, 30]), [15]);
        assert_eq!(left(&[20], &[20, 30]).len(), 0, "no more than was taken");
        assert_eq!(left(&[], &[20]).len(), 0);
    }

    #[test]
    fn money_that_came_back_in_a_named_dispute_is_that_disputes() {
        let mut disputes =
            BTreeMap::from([("a".to_owned(), Dispute { movements: Some(movement(-20)), ..Dispute::default() })]);
        let stamp = Stamp { at: Timestamp::UNIX_EPOCH, rank: 0, tie: String::new() };
        let amount = Some(Stamped { stamp, value: Decimal::from(20) });
        disputes.insert("b".into(), Dispute { amount, movements: Some(movement(20)), ..Dispute::default() });
        assert_eq!(chargebacks(&disputes, Decimal::ONE_HUNDRED, |_| ()).len(), 1);
    }

    #[test]
    fn the_day_of_a_chargeback_in_words_is_the_first_since_the_money_last_came_back() {
        let of = |day: i8, booking| {
            let at: Timestamp = format!("2026-03-{day:02}T00:00:00Z").parse().unwrap();
            let disputed = Some(Decimal::ONE);
            let date = jiff::civil::date(2026, 3, day);
            let news =
                Chargeback { id: "a".into(), disputed, fee: None, booking, date, why: None, movements: None, of: None };
            (news, Stamp { at, rank: 0, tie: String::new() })
        };
        let taken = [of(1, Booking::Open), of(3, Booking::Booked), of(9, Booking::Booked)];
        let again = [of(2, Booking::Booked), of(5, Booking::Reversed), of(7, Booking::Booked)];
        for (told, day) in [(taken, 3), (again, 7)] {
            for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
                let mut dispute = Dispute::default();
                order.into_iter().for_each(|at| dispute.write(&told[at].0, &told[at].1, &mut Vec::new()));
                let mut joined = Dispute::default();
                joined.join(dispute.clone());
                assert_eq!(joined, dispute);
                let chargeback = dispute.chargeback("a", Decimal::TEN).unwrap();
                assert_eq!(chargeback.date, jiff::civil::date(2026, 3, day), "{order:?}");
            }
        }
    }

    fn why(code: &str) -> Why {
        Why { reason: ChargebackReason::UserInitiated, psp_code: Some(code.into()), psp_message: None }
    }

    /// A payment with a reversal of one booking, and disputes with these bookings and reasons.
    fn reason(disputes: &[(&str, &str)]) -> Option<Option<String>> {
        let news = |id: &str, of: &str, booking, why| Chargeback {
            id: id.into(),
            disputed: Some(Decimal::ONE),
            fee: None,
            booking,
            date: jiff::civil::date(2026, 3, 1),
            why,
            movements: None,
            of: Some(of.into()),
        };
        let mut all = BTreeMap::<String, Dispute>::new();
        let mut write = |news: Chargeback| {
            let stamp = Stamp { at: Timestamp::UNIX_EPOCH, rank: 1, tie: news.id.clone() };
            all.entry(news.id.clone()).or_default().write(&news, &stamp, &mut Vec::new());
        };
        write(news("REV", "CAP", Booking::Booked, None));
        for (place, (of, code)) in disputes.iter().enumerate() {
            write(news(&format!("PP-{place}"), of, Booking::Open, Some(why(code))));
        }
        let [only] = <[BookedChargeback; 1]>::try_from(chargebacks(&all, Decimal::TEN, |_| ())).ok()?;
        Some(only.why.and_then(|why| why.psp_code))
    }

    #[test]
    fn a_reversal_has_the_reason_of_the_disputes_of_its_booking_if_they_agree() {
        assert_eq!(reason(&[("CAP", "FRAUD")]), Some(Some("FRAUD".into())));
        assert_eq!(reason(&[("CAP", "FRAUD"), ("CAP", "FRAUD")]), Some(Some("FRAUD".into())));
        assert_eq!(reason(&[("CAP", "FRAUD"), ("CAP", "OTHER")]), Some(None), "either could be meant");
        assert_eq!(reason(&[("CAP-2", "FRAUD")]), Some(None), "of another booking");
    }
}
