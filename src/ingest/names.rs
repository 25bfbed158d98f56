//! Names of a notification for the log: its types, the PSP ids in it, and the records that it concerns. So a search of the log for
//! any of them finds all lines about a transaction.

use crate::domain::message::{Meaning, Message};
use crate::domain::text::brief;
use crate::store::Receipt;

/// The most names of one kind in a line. A batch may have thousands.
const SHOWN: usize = 5;

/// The names in a notification, as the log shows them.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The PSP's types.
    pub(super) types: String,
    /// The PSP ids and references of the events, or the path of the object that is to be fetched. An id with the check digit of a
    /// card number is masked: a stranger may have written a card number there.
    pub(super) ids: String,
}

impl Names {
    /// The names in these messages.
    pub(super) fn of(messages: &[Message]) -> Self {
        let mut ids = Vec::new();
        for message in messages {
            match &message.meaning {
                Meaning::Events(events) => ids.extend(events.iter().flat_map(|event| event.names())),
                Meaning::Fetch(path) => ids.push(path),
                Meaning::Ignored | Meaning::NotUnderstood(_) => {}
            }
        }
        let types = messages.iter().map(|message| message.event_type.as_str());
        Self { types: listed(types, brief), ids: listed(ids.into_iter(), brief) }
    }

    /// The records that the events of a notification, and the events that they released, were applied to.
    pub(super) fn of_records(receipt: &Receipt) -> String {
        let records: Vec<String> = receipt.records.iter().map(ToString::to_string).collect();
        listed(records.iter().map(String::as_str), str::to_owned)
    }
}

/// The first of these names, each once, and the number of the others.
fn listed<'a>(names: impl Iterator<Item = &'a str>, show: impl Fn(&str) -> String) -> String {
    let (mut shown, mut more): (Vec<&str>, u32) = (Vec::new(), 0);
    for name in names.filter(|name| !name.is_empty()) {
        if shown.contains(&name) {
            continue;
        }
        if shown.len() < SHOWN { shown.push(name) } else { more = more.saturating_add(1) }
    }
    let text = shown.into_iter().map(show).collect::<Vec<_>>().join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Event;

    fn message(event_type: &str, ids: &[&str]) -> Message {
        let ids = ids.iter().map(ToString::to_string).collect();
        Message::new(event_type.to_owned(), Meaning::Events(vec![Event { psp_ids: ids, ..Event::default() }]))
    }

    #[test]
    fn each_name_is_shown_once_and_the_rest_of_many_is_counted() {
        let messages = [message("a", &["1", "2", "3"]), message("a", &["3", "4", "5"]), message("b", &["6", "7", "1"])];
        let names = Names::of(&messages);
        assert_eq!((names.types.as_str(), names.ids.as_str()), ("a, b", "1, 2, 3, 4, 5 and 2 more"));
        let pointer = Message::new(String::new(), Meaning::Fetch("/v2/payments/tr_1".to_owned()));
        let names = Names::of(&[pointer]);
        assert_eq!((names.types.as_str(), names.ids.as_str()), ("", "/v2/payments/tr_1"));
    }
}
