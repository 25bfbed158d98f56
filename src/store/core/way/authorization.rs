//! The way of an event that names only an authorization: to the only payment that captures it, if it is not of another capture.

use super::{ANY_CAPTURE, Found, Target, Way};
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::store::core::parked::ReleaseKey;
use crate::store::core::records::{self, Stored};
use crate::store::core::set::Decided;
use crate::store::core::set::keys::way::Key;
use crate::store::core::ways;
use crate::store::sureness::Sureness;

impl Way<'_> {
    /// The only payment that captures the authorization which the event names. An event with captured money is of another
    /// capture if the payment goes by another id. An event that names a record to come waits for it, also if several captures
    /// are registered by then.
    pub(super) fn by_authorization(self) -> Decided<Found> {
        let preauth = self.authorization()?;
        let all = self.captures(preauth.as_ref())?;
        let count = all.len();
        let is_anothers = |stored: &Stored| -> Decided<bool> {
            Ok(self.is_another_capture(&stored.record)
                || self.is_refund_of_another(&stored.record, preauth.as_ref())?)
        };
        let mut captures = Vec::new();
        for stored in all {
            if !self.awaited && !is_anothers(&stored)? {
                captures.push(stored);
            }
        }
        match captures.pop() {
            Some(_) if count > 1 => {
                let which = preauth.as_ref().map_or_else(
                    || self.captured_ids().cloned().collect::<Vec<_>>().join(", "),
                    |preauth| format!("that of preauth {}", preauth.record.key.id),
                );
                let (event, any) = (&self.event.event_type, ANY_CAPTURE);
                let reason = format!("{event}{any}{which}, and {count} payments capture that");
                Ok(Found::Several(reason, self.keys_of_captures(preauth.as_ref())?))
            }
            Some(stored) => Ok(Found::Targets(vec![Target { stored, sureness: Sureness::OnlyCapture }], self.surer()?)),
            None => {
                let mut keys = self.keys_of_captures(preauth.as_ref())?;
                // An id of a refund's payment may turn out to be the authorization's.
                keys.extend(self.refunded_ids().map(|id| ReleaseKey::psp_id(Kind::Preauth, id)));
                Ok(Found::Waits(keys))
            }
        }
    }

    /// The payments that are registered as captures of the preauthorization, or that captured it by what events tell.
    fn captures(&self, preauth: Option<&Stored>) -> Decided<Vec<Stored>> {
        let mut captures = match preauth {
            Some(preauth) => records::captures_of(self.set, &preauth.record.key.id)?,
            None => Vec::new(),
        };
        for id in self.captured_ids() {
            let original = ways::original(id);
            let known = ways::by_psp_id(self.set, Kind::Payment, self.source, &original)?;
            captures.extend(known.into_iter().map(|known| known.stored));
        }
        captures.retain(|stored| self.is_bound(&stored.record));
        captures.sort_by_key(|stored| stored.row);
        captures.dedup_by_key(|stored| stored.row);
        Ok(captures)
    }

    /// The keys of the records that an event of an authorization could concern.
    fn keys_of_captures(&self, preauth: Option<&Stored>) -> Decided<Vec<ReleaseKey>> {
        let own = preauth.and_then(|preauth| preauth.record.registered.psp_id.as_ref());
        let its = |psp_id: &String| own == Some(psp_id) && !self.event.psp_ids.contains(psp_id);
        let mut keys = self.keys(|psp_id| !its(psp_id))?;
        match preauth {
            Some(preauth) => keys.push(ReleaseKey::captures(&preauth.record.key.id)),
            None => keys.extend(self.authorization_ids().map(|id| ReleaseKey::psp_id(Kind::Preauth, id))),
        }
        keys.extend(self.captured_ids().map(|id| ReleaseKey::captured(id)));
        Ok(keys)
    }

    /// The preauthorization whose id or Transform id the event names.
    fn authorization(&self) -> Decided<Option<Stored>> {
        for id in &self.event.references {
            if let Some(stored) = records::by_key(self.set, &RecordKey::new(Kind::Preauth, id.clone()))?
                && self.is_bound(&stored.record)
            {
                return Ok(Some(stored));
            }
        }
        let ids: Vec<String> = self.authorization_ids().cloned().collect();
        Ok(self.known(Kind::Preauth, &ids)?.map(|known| known.stored))
    }

    fn authorization_ids(&self) -> impl Iterator<Item = &String> {
        self.event.leading_ids().chain(self.refunded_ids())
    }

    /// The ids of authorizations by which payments may be known that captured them. The event's own ids are none of these.
    pub(super) fn captured_ids(&self) -> impl Iterator<Item = &String> {
        self.event.originals.iter().chain(&self.event.shared_ids).chain(self.refunded_ids())
    }

    fn refunded_ids(&self) -> impl Iterator<Item = &String> {
        self.event.payment_ids.iter().filter(|_| self.event.is_refund())
    }

    /// Whether an event with captured money is of another capture than this payment. A payment that is not registered as a
    /// capture, and is known by its own events, has its money from those.
    pub(super) fn is_another_capture(&self, payment: &Record) -> bool {
        let own = payment.registered.psp_id.as_ref();
        let is_under_another = own.is_some_and(|own| !self.event.leading_ids().any(|id| id == own));
        !self.event.facts.items.is_empty() && (is_under_another || payment.registered.preauth_id.is_none())
    }

    /// Whether a refund is of another capture than this payment: beside the authorization it names an id of neither.
    fn is_refund_of_another(&self, payment: &Record, preauth: Option<&Stored>) -> Decided<bool> {
        let Some(own) = payment.registered.psp_id.as_ref().filter(|_| self.event.is_refund()) else { return Ok(false) };
        let named = &self.event.payment_ids;
        let goes_by = |record: &Record, id: &String| {
            let attempts = &record.seen.attempts;
            record.registered.psp_id.as_ref() == Some(id)
                || attempts.iter().any(|attempt| attempt.ids.contains(id) || attempt.shared.contains(id))
        };
        if named.contains(own) || self.event.leading_ids().any(|id| id == own) {
            return Ok(false);
        }
        for id in named {
            let is_authorizations = preauth.is_some_and(|preauth| goes_by(&preauth.record, id))
                || self.set.ways.is_any(&Key::Of(ways::original(id)))?;
            if !is_authorizations && !goes_by(payment, id) {
                return Ok(named.len() > 1);
            }
        }
        Ok(false)
    }
}
