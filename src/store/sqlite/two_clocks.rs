//! Tests of the two clocks that write `lastUpdated`: the payment stack answers Transform itself, and the relay tells it of news. In
//! all orders of the stack's steps among the notifications, Transform ends with the relay's copy (contract, section 3a).

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::played::*;
use crate::domain::event::{Booking, Chargeback, Event, Facts};
use crate::domain::ids::Kind;
use crate::domain::status::Status;
use crate::domain::view::{Detail, View};

/// A step of the payment's life, as the stack, the PSP or Transform sees it.
#[derive(Clone)]
enum Turn {
    /// The stack answers Transform's POST: the payment is Pending.
    Answer,
    /// The stack registers the payment, and says when it has answered, if it has.
    Register { says_when: bool },
    /// The stack says when it has answered.
    Stamp,
    /// The PSP posts a notification.
    Notify(u128, Box<Event>),
}

/// Transform's copy of the payment: its `lastUpdated`, and what it says.
#[derive(Debug, Clone, PartialEq)]
struct Copy {
    updated: Timestamp,
    says: Says,
}

/// Status, paid, refunded and charged back.
type Says = (Status, Decimal, Decimal, Decimal);

/// A play with Transform, and a stack whose clock differs from the relay's.
struct Play {
    told: Told,
    ahead: SignedDuration,
    /// Whether Transform reads as soon as the relay owes it a webhook. Otherwise a burst ends with one webhook at the end.
    at_once: bool,
    copy: Option<Copy>,
    answered: Option<Timestamp>,
    is_owed: bool,
}

impl Play {
    /// Begins a play in an empty store.
    fn new(ahead: i64, at_once: bool) -> Self {
        let ahead = SignedDuration::from_secs(ahead);
        Self { told: Told::new(&[]), ahead, at_once, copy: None, answered: None, is_owed: false }
    }

    fn turn(&mut self, turn: &Turn) {
        self.told.second += 1;
        match turn {
            Turn::Answer => {
                let updated = at(self.told.second) + self.ahead;
                self.answered = Some(updated);
                self.hears(Copy { updated, says: (Status::Pending, 0.into(), 0.into(), 0.into()) });
            }
            Turn::Register { says_when } => {
                let mut said = json!({
                    "pspTransactionId": "pi", "requestedAmount": 100, "currency": "EUR", "status": "Pending",
                });
                if let Some(answered) = self.answered.filter(|_| *says_when) {
                    said["answeredAt"] = answered.to_string().into();
                }
                self.register(said);
            }
            Turn::Stamp => self.register(json!({"answeredAt": self.answered.unwrap().to_string()})),
            Turn::Notify(n, event) => self.told.step(&Step::Tell(*n, event.clone())),
        }
        self.is_owed |= self.told.is_owed("p");
        if self.at_once {
            self.read();
        }
    }

    fn register(&mut self, said: Value) {
        self.told.step(&Step::Register(Kind::Payment, "p", said));
    }

    /// Transform reads the payment, if it is owed a webhook.
    fn read(&mut self) {
        if std::mem::take(&mut self.is_owed) {
            self.hears(self.shown());
        }
    }

    /// Transform ignores what is not newer than its copy.
    fn hears(&mut self, news: Copy) {
        if self.copy.as_ref().is_none_or(|copy| copy.updated < news.updated) {
            self.copy = Some(news);
        }
    }

    /// The payment as the relay shows it now.
    fn shown(&self) -> Copy {
        let record = self.told.record(Kind::Payment, "p");
        let View { status, detail: Detail::Payment(money), .. } = View::of(&record) else { panic!("a payment") };
        let paid = money.payments.iter().map(|item| item.amount).sum();
        let charged_back = money.chargebacks.iter().map(|chargeback| chargeback.amount).sum();
        Copy { updated: record.last_updated, says: (status, paid, money.refunded, charged_back) }
    }
}

fn notifications() -> Vec<Turn> {
    let dispute = Chargeback {
        id: "dispute".into(),
        disputed: Some(20.into()),
        fee: None,
        booking: Booking::Booked,
        date: jiff::civil::date(2026, 3, 1),
        why: None,
        movements: None,
        of: None,
    };
    let disputed = event(3, Kind::Payment, &["pi"], Facts { chargebacks: vec![dispute], ..Facts::default() });
    [booked(1, &["pi"], 100), given_back(2, "re", 30), disputed]
        .into_iter()
        .zip(1..)
        .map(|(event, n)| Turn::Notify(n, Box::new(event)))
        .collect()
}

/// All merges of two sequences that keep the order of each.
fn merges(one: &[Turn], other: &[Turn]) -> Vec<Vec<Turn>> {
    let (Some((first, rest)), Some((other_first, other_rest))) = (one.split_first(), other.split_first()) else {
        return vec![[one, other].concat()];
    };
    let begin = |first: &Turn, rests: Vec<Vec<Turn>>| {
        let first = first.clone();
        rests.into_iter().map(move |rest| [vec![first.clone()], rest].concat())
    };
    begin(first, merges(rest, other)).chain(begin(other_first, merges(one, other_rest))).collect()
}

#[test]
fn transform_ends_with_the_relays_copy_wherever_the_stack_answers_among_the_notifications() {
    use Turn::{Answer, Register, Stamp};
    let stacks: [&[Turn]; 3] = [
        &[Answer, Register { says_when: true }],
        &[Answer, Register { says_when: false }, Stamp],
        &[Register { says_when: false }, Answer, Stamp],
    ];
    let told = orders(&notifications());
    let lives = stacks.iter().flat_map(|stack| told.iter().flat_map(|told| merges(stack, told)));
    let expected = (Status::Succeeded, 100.into(), 30.into(), 20.into());
    for (n, life) in lives.enumerate() {
        for (ahead, at_once) in [(120, true), (120, false), (-120, true), (-120, false)] {
            let mut play = Play::new(ahead, at_once);
            life.iter().for_each(|turn| play.turn(turn));
            play.read();
            let copy = play.copy.clone().unwrap();
            assert_eq!((copy.says, copy), (expected, play.shown()), "life {n}, {ahead} s ahead, at once: {at_once}");
        }
    }
}
