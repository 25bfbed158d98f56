//! The questions that the tables of the working set answer.

/// Questions about records.
pub(in crate::store) mod record {
    use crate::domain::ids::TransformId;

    /// A question about records.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(in crate::store) enum Key {
        /// The record with this Transform id, of any kind.
        Id(TransformId),
        /// The record of a row.
        Row(i64),
        /// The refunds of a payment.
        OfPayment(TransformId),
        /// The payments that capture a preauthorization.
        OfPreauth(TransformId),
    }
}

/// Questions about ways.
pub(in crate::store) mod way {
    /// A question about ways.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(in crate::store) enum Key {
        /// The ways from a PSP id, as that of any kind of object and of any source.
        Of(String),
        /// The ways to the record of a row.
        To(i64),
    }
}

/// Questions about notifications.
pub(in crate::store) mod notification {
    use uuid::Uuid;

    /// A question about notifications. Hints are no answer, but to the question for an id.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(in crate::store) enum Key {
        /// The notification with this id.
        Id(Uuid),
        /// The notification with this dedupe key and this content.
        Content(OfKey, [u8; 16]),
        /// All contents of a dedupe key.
        Contents(OfKey),
    }

    /// A source, and the digest of a dedupe key.
    pub(in crate::store) type OfKey = (String, [u8; 16]);
}

/// Questions about events that wait.
pub(in crate::store) mod parked {
    use uuid::Uuid;

    /// A question about events that wait.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(in crate::store) enum Key {
        /// The event of a row.
        Row(i64),
        /// The events that this key releases.
        By(String),
        /// The events of a notification.
        Of(Uuid),
        /// The events of a finding.
        In(i64),
        /// The events of a source that do not wait in silence.
        From(String),
    }
}

/// Questions about placed events.
pub(in crate::store) mod placed {
    use uuid::Uuid;

    /// A question about placed events.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(in crate::store) enum Key {
        /// The events on the record of a row.
        On(i64),
        /// The events of a notification.
        Of(Uuid),
    }
}

/// Questions about signed texts.
pub(in crate::store) mod text {
    /// A question about signed texts.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(in crate::store) enum Key {
        /// The rows of a text, by its source and its digest.
        Of(String, [u8; 16]),
        /// The rows of all texts that have reached the record of a row.
        To(i64),
    }
}

/// Questions about findings.
pub(in crate::store) mod finding {
    /// A question about findings.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(in crate::store) enum Key {
        /// The finding of a row.
        Row(i64),
        /// The findings of a source and a kind.
        Kind(String, &'static str),
        /// The findings of a source, a kind and an event type.
        Type(String, &'static str, String),
        /// The findings that name the record of a row.
        Of(i64),
    }
}
