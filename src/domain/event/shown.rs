//! An event as text, for people.

use std::fmt;

use super::Event;

impl fmt::Debug for Event {
    /// Shows the content, and the other fields only where they are out of the ordinary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Event");
        text.field("event_type", &self.event_type)
            .field("kinds", &self.kinds)
            .field("psp_ids", &self.psp_ids)
            .field("shared_ids", &self.shared_ids);
        for (name, ids) in
            [("originals", &self.originals), ("payment_ids", &self.payment_ids), ("customers", &self.customers)]
        {
            if !ids.is_empty() {
                text.field(name, ids);
            }
        }
        text.field("references", &self.references);
        if let Some(loose) = &self.loose {
            text.field("loose", loose);
        }
        text.field("at", &self.at)
            .field("key", &self.key)
            .field("late", &self.late)
            .field("gives_way", &self.gives_way);
        for (name, is) in [
            ("yields_to_success", self.yields_to_success),
            ("never_revives", self.never_revives),
            ("companion", self.companion),
        ] {
            if is {
                text.field(name, &is);
            }
        }
        text.field("currency", &self.currency).field("facts", &self.facts).finish()
    }
}
