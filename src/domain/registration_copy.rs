//! The copy of a registration: what the payment stack has said of a record, apart from all that events told of it. It is kept a second
//! time, since no notification can tell it again.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::RecordKey;
use super::record::{Record, Registered};

/// The copy of the registration of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationCopy<'a> {
    /// The record.
    pub key: Cow<'a, RecordKey>,
    /// Its source, unless only placed events have bound it.
    pub source: Option<Cow<'a, str>>,
    /// The time of the first registration.
    pub registered_at: Timestamp,
    /// The time of the record's version then. All later versions are later.
    pub last_updated: Timestamp,
    /// The payment stack's values.
    pub registered: Cow<'a, Registered>,
}

impl<'a> RegistrationCopy<'a> {
    /// The copy of a record's registration.
    #[must_use]
    pub fn of(record: &'a Record) -> Self {
        Self {
            key: Cow::Borrowed(&record.key),
            source: record.source.as_deref().filter(|_| !record.bound_by_placed).map(Cow::Borrowed),
            registered_at: record.registered_at,
            last_updated: record.last_updated,
            registered: Cow::Borrowed(&record.registered),
        }
    }

    /// The same copy, without a loan.
    #[must_use]
    pub fn into_owned(self) -> RegistrationCopy<'static> {
        RegistrationCopy {
            key: Cow::Owned(self.key.into_owned()),
            source: self.source.map(|source| Cow::Owned(source.into_owned())),
            registered_at: self.registered_at,
            last_updated: self.last_updated,
            registered: Cow::Owned(self.registered.into_owned()),
        }
    }

    /// The record as it was registered, before any event. Its version is the first one, and later than the copy.
    #[must_use]
    pub fn into_record(self, now: Timestamp) -> Record {
        let registered = Registered { silent_since: None, ..self.registered.into_owned() };
        let source = self.source.map(Cow::into_owned);
        let later = self.last_updated.saturating_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX);
        Record {
            last_updated: now.max(later),
            ..Record::new(self.key.into_owned(), source, self.registered_at, registered)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Event, Facts};
    use crate::domain::ids::Kind;
    use crate::domain::status::Status;
    use crate::domain::{family, register};

    /// A record that was registered, told of by an event, and made anew from the copy is as it was registered.
    #[test]
    fn a_copy_has_what_was_registered_and_nothing_that_events_told() {
        let (key, now) = (RecordKey::new(Kind::Payment, "tx1".parse().unwrap()), Timestamp::UNIX_EPOCH);
        let said = r#"{"requestedAmount":10,"currency":"EUR","pspTransactionId":"pi_1","bearer":{"last4":"1111"}}"#;
        let registered = register::register(&key, None, &serde_json::from_str(said).unwrap(), now).unwrap().record;
        let event = Event {
            kinds: vec![Kind::Payment],
            psp_ids: vec!["pi_1".to_owned()],
            facts: Facts { status: Some(Status::Succeeded), ..Facts::default() },
            ..Event::default()
        };
        let Ok(told) = family::apply(&registered, None, (&event, crate::domain::transition::Layer::Own), now) else {
            panic!("no contradiction")
        };
        assert_ne!(told.record, registered);
        let copy = serde_json::to_vec(&RegistrationCopy::of(&told.record)).unwrap();
        let copy: RegistrationCopy<'_> = serde_json::from_slice(&copy).unwrap();
        let again = copy.into_record(now);
        assert!(again.last_updated > told.record.last_updated);
        assert_eq!(Record { last_updated: registered.last_updated, ..again }, registered);
    }
}
