//! Lives at Frisbii Media: transactions, invoices, subscriptions. There is no merchant reference, only the PSP's ids.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::expected::{Expected, Why};
use super::life::Fate;
use super::making::Making;
use super::money::Currency;
use crate::domain::ids::Kind;

pub(super) fn live(making: &mut Making) {
    match making.chance.within(0, 9) {
        0..=4 => paid(making),
        5 | 6 => by_invoice(making),
        7 | 8 => reserved(making),
        _ => subscription(making),
    }
}

fn callback(callback: &str, entity_type: &str, id: &str, at: Timestamp, mut entity: Value) -> Value {
    entity["changedDate"] = at.to_string().into();
    json!({"entityType": entity_type, "callbackType": callback, "entityId": id, "entity": entity})
}

/// A transaction and its three ids.
struct Transaction {
    id: String,
    plenigo: String,
    psp: String,
    currency: Currency,
    amount: i64,
}

impl Transaction {
    fn new(making: &mut Making, expected: &mut Expected, amount: i64) -> Self {
        let (id, plenigo, psp) = (making.digits(), making.id("plenigoTx"), making.id("pi_media"));
        expected.registered_psp_id = Some(match making.chance.within(0, 2) {
            0 => id.clone(),
            1 => plenigo.clone(),
            _ => psp.clone(),
        });
        Self { id, plenigo, psp, currency: expected.currency.unwrap_or_default(), amount }
    }

    fn object(&self, action: &str, status: &str) -> Value {
        json!({"transactionId": self.id, "plenigoTransactionId": self.plenigo, "pspTransactionId": self.psp,
               "paymentProvider": "STRIPE", "paymentAction": action, "paymentStatus": status, "customerId": "C-1",
               "amount": self.currency.major(self.amount), "currency": self.currency.code})
    }

    fn tell(&self, making: &mut Making, expected: &Expected, first: bool, at: Timestamp, object: Value) {
        let kind = if first { "CREATION" } else { "CHANGE" };
        making.tells(expected, callback(kind, "TRANSACTION", &self.id, at, object));
    }

    fn failed(&self, making: &mut Making, expected: &mut Expected, first: bool, action: &str) {
        let at = making.later();
        let why =
            Why {
                code: None, psp_code: Some("declined_17".to_owned()), message: Some("Abgelehnt – nein".to_owned())
            };
        expected.fails(at, "Failed", &self.id, why);
        let mut object = self.object(action, "FAILURE");
        object["errorCode"] = "declined_17".into();
        object["errorMessage"] = "Abgelehnt – nein".into();
        self.tell(making, expected, first, at, object);
    }
}

/// A debit that is confirmed later, or a card payment that is confirmed at once.
fn paid(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut payment = making.expected(Kind::Payment, Some(currency), amount);
    pay(making, &mut payment, amount);
    making.knows(&payment);
}

fn pay(making: &mut Making, payment: &mut Expected, amount: i64) {
    let transaction = Transaction::new(making, payment, amount);
    making.registers(payment);
    let debit = making.chance.one_in(2);
    let action = if debit {
        "SEPA_DEBIT"
    } else {
        making.chance.pick(&["CREDIT_CARD_PAYMENT", "PAYPAL_PAYMENT", "SOFORT_PAYMENT"])
    };
    if debit {
        let at = making.later();
        payment.says(at, "Pending", &transaction.id);
        transaction.tell(making, payment, true, at, transaction.object(action, "PENDING"));
    }
    if making.chance.one_in(6) {
        making.chapter("never paid");
        return transaction.failed(making, payment, !debit, action);
    }
    making.chapter("paid");
    let at = making.later();
    payment.says(at, "Succeeded", &transaction.id);
    payment.books(&transaction.id, amount, at);
    transaction.tell(making, payment, !debit, at, transaction.object(action, "SUCCESS"));
    if making.chance.one_in(3) {
        let at = making.later();
        payment.says(at, "Succeeded", &transaction.id);
        let id = making.digits();
        making.tells(payment, invoice(&id, "CHANGE", at, "PAID", &transaction, true));
    }
    noise(making, payment);
    let mut left = amount;
    for _ in 0..making.chance.pick(&[0, 0, 1, 2]) {
        let part = if making.chance.one_in(3) { left } else { making.chance.within(1, left.max(1)) };
        let part = if making.chance.one_in(8) { amount + part } else { part.max(1) };
        left = (left - part).max(0);
        refund(making, payment, part);
    }
    if making.chance.one_in(4) {
        making.chapter("charged back");
        let at = making.later();
        let (id, plenigo) = (making.digits(), making.id("plenigoTx"));
        let part = if making.chance.one_in(2) { amount } else { making.chance.within(1, amount) };
        // This is a transaction of its own. It shares one id with the payment's.
        let back =
            Transaction { id, plenigo, psp: transaction.psp.clone(), currency: transaction.currency, amount: part };
        if making.chance.one_in(2) {
            back.tell(making, payment, true, at, back.object("CREDIT_CARD_CHARGEBACK", "PENDING"));
        }
        let at = making.later();
        let action = making.chance.pick(&["CREDIT_CARD_CHARGEBACK", "SEPA_DEBIT_RETURN"]);
        back.tell(making, payment, false, at, back.object(action, "SUCCESS"));
        let dispute = payment.dispute(&back.id);
        (dispute.amount, dispute.gone) = (part, Some(at));
    }
}

fn refund(making: &mut Making, payment: &mut Expected, amount: i64) {
    making.chapter("refunded");
    let mut refund = making.expected(Kind::Refund, payment.currency, amount);
    refund.parent = Some(payment.id.clone());
    let transaction = Transaction::new(making, &mut refund, amount);
    making.registers(&refund);
    let action = making.chance.pick(&["CREDIT_CARD_REFUND", "PAYPAL_REFUND", "SOFORT_REFUND"]);
    let pending = making.chance.one_in(2);
    if pending {
        let at = making.later();
        refund.says(at, "Pending", &transaction.id);
        transaction.tell(making, &refund, true, at, transaction.object(action, "PENDING"));
    }
    if making.chance.one_in(4) {
        transaction.failed(making, &mut refund, !pending, action);
    } else {
        let at = making.later();
        refund.says(at, "Succeeded", &transaction.id);
        refund.gives_back(amount);
        transaction.tell(making, &refund, !pending, at, transaction.object(action, "SUCCESS"));
    }
    payment.given_back += refund.refunded();
    making.knows(&refund);
}

fn invoice(id: &str, kind: &str, at: Timestamp, status: &str, of: &Transaction, with_transaction: bool) -> Value {
    let number = id.parse::<u64>().unwrap_or_default();
    let mut entity = json!({"invoiceId": number, "type": "INVOICE", "status": status, "invoiceCustomerId": "C-1",
                            "accumulatedPrice": of.currency.major(of.amount), "currency": of.currency.code});
    if with_transaction {
        entity["transactionId"] = of.id.as_str().into();
    }
    callback(kind, "INVOICE", id, at, entity)
}

/// A payment by transfer: the PSP tells only of the invoice.
fn by_invoice(making: &mut Making) {
    making.chapter("paid by transfer");
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut payment = making.expected(Kind::Payment, Some(currency), amount);
    let id = making.digits();
    payment.registered_psp_id = Some(id.clone());
    making.registers(&payment);
    let of = Transaction { id: String::new(), plenigo: String::new(), psp: String::new(), currency, amount };
    let at = making.later();
    payment.says(at, "Pending", &id);
    making.tells(&payment, invoice(&id, "CREATION", at, "NOT_PAID", &of, false));
    if making.chance.one_in(6) {
        return making.knows(&payment);
    }
    let at = making.later();
    payment.says(at, "Succeeded", &id);
    payment.books(&id, amount, at);
    making.tells(&payment, invoice(&id, "CHANGE", at, "PAID", &of, false));
    if making.chance.one_in(3) {
        making.chapter("revoked");
        let at = making.later();
        making.tells(&payment, invoice(&id, "PAYMENT_REVOKED", at, "PAID", &of, false));
        let dispute = payment.dispute(&id);
        (dispute.amount, dispute.gone) = (amount, Some(at));
    }
    making.knows(&payment);
}

/// A preauthorization, and maybe a payment that captures it.
fn reserved(making: &mut Making) {
    making.chapter("reserved");
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut preauth = making.expected(Kind::Preauth, Some(currency), amount);
    let transaction = Transaction::new(making, &mut preauth, amount);
    making.registers(&preauth);
    let action = making.chance.pick(&["CREDIT_CARD_AUTHORIZATION", "CREDIT_CARD_PRE_AUTHORIZATION"]);
    if making.chance.one_in(4) {
        transaction.failed(making, &mut preauth, true, action);
        return making.knows(&preauth);
    }
    let at = making.later();
    preauth.says(at, "Succeeded", &transaction.id);
    preauth.reserves(amount);
    transaction.tell(making, &preauth, true, at, transaction.object(action, "SUCCESS"));
    making.knows(&preauth);
    if making.chance.one_in(2) {
        let mut payment = making.expected(Kind::Payment, Some(currency), amount);
        payment.parent = Some(preauth.id.clone());
        pay(making, &mut payment, amount);
        making.knows(&payment);
    }
}

fn subscription(making: &mut Making) {
    making.chapter("subscription");
    let mut agreement = making.expected(Kind::Agreement, None, 0);
    let id = making.digits();
    agreement.registered_psp_id = Some(id.clone());
    making.registers(&agreement);
    let number = id.parse::<u64>().unwrap_or_default();
    let object = |status: &str| json!({"subscriptionId": number, "status": status, "currency": "EUR"});
    let at = making.later();
    agreement.says(at, "Active", &id);
    making.tells(&agreement, callback("CREATION", "SUBSCRIPTION", &id, at, object("ACTIVE")));
    if making.chance.one_in(2) {
        let at = making.later();
        agreement.says(at, "Inactive", &id);
        let (kind, status) = making.chance.pick(&[("ENDED", "ACTIVE"), ("CHANGE", "INACTIVE")]);
        making.tells(&agreement, callback(kind, "SUBSCRIPTION", &id, at, object(status)));
    }
    making.knows(&agreement);
}

/// Notifications that concern no record, that cannot be understood, or that wait for ever.
fn noise(making: &mut Making, payment: &Expected) {
    if making.chance.one_in(3) {
        let (at, id) = (making.later(), making.digits());
        making.tells_as(None, payment, callback("CREATION", "CUSTOMER", &id, at, json!({})), Fate::Ignored);
    }
    for (status, fate) in [("PERHAPS", Fate::DeadLetter), ("SUCCESS", Fate::Parked)] {
        if making.chance.one_in(12) {
            let (at, id) = (making.later(), making.digits());
            let stray = json!({"transactionId": id, "paymentAction": "SEPA_DEBIT", "paymentStatus": status,
                               "amount": 1, "currency": "EUR"});
            making.tells_as(None, payment, callback("CREATION", "TRANSACTION", &id, at, stray), fate);
        }
    }
}
