//! The differences between two states of a record, field by field, as far as Transform can see them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::dispute::BookedChargeback;
use crate::domain::event::Item;
use crate::domain::record::Record;
use crate::domain::text::{shown, shown_id};
use crate::domain::view::{Detail, View};

/// A line for each field that would differ. Payer data is compared, not shown.
#[must_use]
pub fn difference(stands: &Record, would: &Record) -> Vec<String> {
    let (stands, would) = (Fields::of(&View::of(stands)), Fields::of(&View::of(would)));
    let names: BTreeSet<&String> = stands.0.keys().chain(would.0.keys()).collect();
    let differ = names.into_iter().filter(|name| stands.0.get(*name) != would.0.get(*name));
    differ
        .map(|name| {
            let said = |fields: &Fields| match fields.0.get(name) {
                None => "nothing".to_owned(),
                Some(Said::Shown(text)) => text.clone(),
                Some(Said::Hidden(_)) => "[payer data]".to_owned(),
            };
            format!("{name}: {} -> {}", said(&stands), said(&would))
        })
        .collect()
}

/// A field's value, and whether it may be shown.
#[derive(PartialEq, Eq)]
enum Said {
    Shown(String),
    Hidden(String),
}

/// The fields of a view that have a value, by name.
#[derive(Default)]
struct Fields(BTreeMap<String, Said>);

impl Fields {
    fn put(&mut self, name: impl Into<String>, said: Option<impl ToString>) {
        if let Some(said) = said {
            self.0.insert(name.into(), Said::Shown(said.to_string()));
        }
    }

    fn of(view: &View) -> Self {
        let mut fields = Self::default();
        fields.put("status", Some(view.status.name()));
        fields.put("error.since", view.error_since.map(seconds));
        if let Some(error) = &view.error {
            fields.put("error.code", error.code.map(|code| format!("{code:?}")));
            fields.put("error.pspCode", error.psp_code.as_deref().map(shown));
            fields.put("error.message", error.message.as_deref().map(shown));
        }
        fields.put("pspId", view.psp_id.as_deref().map(shown_id));
        for (name, value) in &view.bearer {
            fields.0.insert(format!("bearer.{name}"), Said::Hidden(value.clone()));
        }
        fields.put("amended", view.amended.as_ref().map(|(at, _)| seconds(*at)));
        fields.detail(&view.detail);
        fields
    }

    fn detail(&mut self, detail: &Detail) {
        match detail {
            Detail::Preauth { authorized, expires_at } => {
                self.put("authorizedAmount", Some(authorized.normalize()));
                self.put("expiresAt", expires_at.map(seconds));
            }
            Detail::Payment(payment) => {
                payment.payments.iter().for_each(|item| self.item(item));
                payment.chargebacks.iter().for_each(|chargeback| self.chargeback(chargeback));
                self.put("refundedAmount", Some(payment.refunded.normalize()));
                self.put("refundableAmount", Some(payment.refundable.normalize()));
            }
            Detail::Refund { refunded, booking_date, .. } => {
                self.put("refundedAmount", Some(refunded.normalize()));
                self.put("bookingDate", *booking_date);
            }
            Detail::Agreement => {}
        }
    }

    fn item(&mut self, item: &Item) {
        let name = format!("payments[{}]", shown_id(&item.id));
        self.put(format!("{name}.amount"), Some(item.amount.normalize()));
        self.put(format!("{name}.bookingDate"), Some(item.date));
        self.put(format!("{name}.description"), item.description.as_deref().map(shown));
    }

    fn chargeback(&mut self, chargeback: &BookedChargeback) {
        let name = format!("chargebacks[{}]", shown_id(&chargeback.id));
        self.put(format!("{name}.amount"), Some(chargeback.amount.normalize()));
        self.put(format!("{name}.fee"), chargeback.fee.map(|fee| fee.normalize()));
        self.put(format!("{name}.bookingDate"), Some(chargeback.date));
        let why = chargeback.why.as_ref();
        self.put(format!("{name}.reason"), why.map(|why| format!("{:?}", why.reason)));
        self.put(format!("{name}.pspCode"), why.and_then(|why| why.psp_code.as_deref()).map(shown));
    }
}

/// A time in whole seconds: the store keeps fewer digits of the time of receipt than a record that got it directly.
fn seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
