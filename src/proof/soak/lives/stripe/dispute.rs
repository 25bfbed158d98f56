//! Disputes at Stripe, and the movements of their money.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::intent::Intent;
use crate::proof::soak::lives::expected::Expected;
use crate::proof::soak::lives::making::Making;

const DISPUTE_REASONS: [(&str, &str); 5] = [
    ("fraudulent", "UserInitiated"),
    ("insufficient_funds", "InsufficientBalance"),
    ("subscription_canceled", "Canceled"),
    ("bank_cannot_process", "Rejected"),
    ("noncompliant", "Unknown"),
];

/// A dispute under way.
struct Dispute<'a> {
    intent: &'a Intent,
    id: String,
    amount: i64,
    reason: &'static str,
    /// The movements of its money.
    moved: Vec<Movement>,
    /// Whether its events list the movements. Otherwise only their words tell of the money.
    lists: bool,
}

/// Money that was taken, or given back.
struct Movement {
    id: String,
    /// Negative if the money was taken.
    amount: i64,
    fee: Option<i64>,
    at: Timestamp,
}

/// Disputes an amount of a payment.
pub(super) fn dispute(making: &mut Making, intent: &Intent, payment: &mut Expected, amount: i64) {
    making.chapter("disputed");
    let (reason, known) = making.chance.pick(&DISPUTE_REASONS);
    let (id, lists) = (making.id("du_"), !making.chance.one_in(4));
    let mut dispute = Dispute { intent, id, amount, reason, moved: Vec::new(), lists };
    let at = making.later();
    dispute.tells(making, payment, ("created", "needs_response"), at);
    if making.chance.one_in(4) {
        let at = making.later();
        return dispute.tells(making, payment, ("closed", "warning_closed"), at);
    }
    let fee = if making.chance.one_in(2) { Some(15) } else { None };
    dispute.moves(making, payment, -amount, fee);
    let stands = payment.dispute(&dispute.id);
    (stands.reason, stands.psp_code) = (known, Some(reason.to_owned()));
    match making.chance.within(0, 3) {
        0 => {}
        1 => {
            let at = making.later();
            dispute.tells(making, payment, ("closed", "lost"), at);
        }
        2 if lists && amount > 1 => dispute.is_won_in_part(making, payment, fee),
        _ => {
            let at = making.later();
            dispute.tells(making, payment, ("closed", "won"), at);
            if !lists {
                payment.dispute(&dispute.id).gone = None;
            }
            dispute.moves(making, payment, amount, fee.map(|fee| -fee));
        }
    }
}

impl Dispute<'_> {
    /// Gives back one part, maybe another one, and maybe takes some of it again.
    fn is_won_in_part(&mut self, making: &mut Making, payment: &mut Expected, fee: Option<i64>) {
        making.chapter("and won in part");
        let back = making.chance.within(1, self.amount - 1);
        self.moves(making, payment, back, fee.map(|_| -7));
        if making.chance.one_in(2) {
            self.moves(making, payment, self.amount - back, None);
        }
        if making.chance.one_in(2) {
            self.moves(making, payment, -back, None);
        }
        let at = making.later();
        self.tells(making, payment, ("closed", "won"), at);
    }

    /// Moves money, and tells of it.
    fn moves(&mut self, making: &mut Making, payment: &mut Expected, amount: i64, fee: Option<i64>) {
        let at = making.perhaps_later();
        self.moved.push(Movement { id: making.id("txn_"), amount, fee, at });
        let word = if amount < 0 { "funds_withdrawn" } else { "funds_reinstated" };
        self.tells(making, payment, (word, "under_review"), at);
        let taken: i64 = self.moved.iter().map(|movement| -movement.amount).sum();
        let fees: i64 = self.moved.iter().filter_map(|movement| movement.fee).sum();
        let first = self.moved.iter().find(|movement| movement.amount < 0).map(|movement| movement.at);
        let stands = payment.dispute(&self.id);
        stands.amount = taken.min(self.amount);
        stands.fee = Some(fees).filter(|fees| self.lists && *fees > 0);
        stands.gone = first.filter(|_| taken > 0);
    }

    fn tells(&self, making: &mut Making, payment: &Expected, (word, status): (&str, &str), at: Timestamp) {
        let currency = self.intent.currency;
        let moved = self.moved.iter().rev().map(|movement| {
            json!({"id": movement.id, "amount": currency.minor(movement.amount), "created": movement.at.as_second(),
                   "currency": currency.code.to_lowercase(), "fee": movement.fee.map(|fee| currency.minor(fee))})
        });
        let mut object = json!({
            "object": "dispute", "id": self.id, "payment_intent": self.intent.id, "charge": self.intent.charge,
            "status": status, "amount": currency.minor(self.amount), "currency": currency.code.to_lowercase(),
            "reason": self.reason, "metadata": {}});
        if self.lists {
            object["balance_transactions"] = moved.collect::<Vec<_>>().into();
        } else {
            object["balance_transactions"] = Value::Null;
        }
        self.intent.tell(making, payment, &format!("charge.dispute.{word}"), at, object);
    }
}
