//! The sections of the page of a PSP, from top to bottom.

use super::words::{bulleted, code, codes, numbered, places, section};
use super::{events, proofs, words};
use crate::psp::document::place::Place;
use crate::psp::profile::{Amounts, Call, Fetch, FetchAuth, FetchMode, Form, Profile, WithoutTime};
use crate::psp::vouch::needs::needs_credentials;

/// The page of a PSP.
#[must_use]
pub fn page(profile: &Profile) -> String {
    let about = &profile.about;
    let forms = &profile.forms;
    let mut text = format!(
        "# {}\n\n<!-- Made by `transform-relay profile page {}` from the profile; change that instead. -->\n",
        profile.title, profile.name
    );
    section(&mut text, "Set-up", &numbered(&steps(profile)));
    section(&mut text, "Configuration of the source", &proofs::source(profile));
    section(&mut text, "A trial by hand", &about.by_hand);
    section(&mut text, "The record of an event", &which_record(profile));
    section(&mut text, "Verification", &proofs::vouches(profile, forms));
    section(&mut text, "Answers", &answer(profile));
    section(&mut text, "Repetitions", &repetitions(profile, forms));
    section(&mut text, "Times", &times(forms));
    section(&mut text, "Amounts", &amounts(profile));
    for form in forms {
        let heading =
            if forms.len() > 1 { format!("Events of form {}", code(&form.name)) } else { "Events".to_owned() };
        section(&mut text, &heading, &events::events(form));
        if let Some(fetch) = &form.fetch {
            section(&mut text, &format!("Fetching for form {}", code(&form.name)), &fetched(form, fetch));
        }
    }
    section(&mut text, "Notes", &bulleted(&about.notes));
    section(&mut text, "Unconfirmed", &bulleted(&about.unconfirmed));
    text
}

/// The steps of the set-up, with the types that the rules read in the place of `{types}` or `{types:FORM}`.
fn steps(profile: &Profile) -> Vec<String> {
    let mut marks = vec![("{types}".to_owned(), profile.forms.iter().collect())];
    marks.extend(profile.forms.iter().map(|form| (format!("{{types:{}}}", form.name), vec![form])));
    let filled = |step: &String| {
        marks.iter().fold(step.clone(), |step, (mark, forms)| {
            if step.contains(mark) { step.replace(mark, &codes(&events::read_types(forms))) } else { step }
        })
    };
    profile.about.setup.iter().map(filled).collect()
}

fn which_record(profile: &Profile) -> String {
    let about = &profile.about;
    let mut lines = Vec::new();
    if !about.reference.is_empty() {
        lines.push(format!("**By the Transform id.** {}", about.reference));
    }
    if !about.ids.is_empty() {
        lines.push(format!("**By the PSP's ids.** {}", about.ids));
    }
    lines.join("\n\n")
}

fn answer(profile: &Profile) -> String {
    let answer = &profile.answer;
    let body = match &answer.body {
        Some(body) => format!(" with the body {}", code(body)),
        None => " with a receipt in JSON".to_owned(),
    };
    let forms = || profile.forms.iter();
    let unverified = if needs_credentials(profile) {
        "if the credentials or headers of the source are missing or wrong; 403 from an address that is not the PSP's"
    } else if forms().all(proofs::hints) {
        "if the notification points to nothing that can be fetched"
    } else if forms().any(proofs::hints) {
        "if the notification is not verified and points to nothing that can be fetched"
    } else {
        "if the notification is not verified"
    };
    let busy = if forms().any(proofs::hints) { ", or while too many hints wait" } else { "" };
    let mut lines = vec![format!(
        "{}{body} as soon as the notification and all its changes are on disk. {} {unverified}. 503 with Retry-After \
         while the store cannot take the notification{busy}.",
        answer.status, answer.unverified
    )];
    if let Some(challenge) = &profile.challenge {
        let at = match (&challenge.header, &challenge.query) {
            (Some(header), _) => format!("the header {}", code(header)),
            (None, query) => format!("the parameter {}", code(query.as_deref().unwrap_or_default())),
        };
        let mut line = format!(
            "The PSP checks the endpoint by a GET with {at}; the answer is {}.",
            places(&challenge.answer, " then ")
        );
        if challenge.sign.is_some() {
            let (least, greatest) = challenge.length;
            line.push_str(&format!(
                " Anybody can request that signature. A notification whose signature covers only such a text, {least} to \
                 {greatest} characters, is refused."
            ));
        }
        lines.push(line);
    }
    lines.join("\n\n")
}

fn repetitions(profile: &Profile, forms: &[Form]) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !profile.about.retries.is_empty() {
        lines.push(profile.about.retries.clone());
    }
    for form in forms {
        let which = if forms.len() > 1 { format!(" of form {}", code(&form.name)) } else { String::new() };
        if proofs::hints(form) {
            lines.push(format!(
                "A repetition{which} is one more hint. It adds nothing while the object that it names waits to be fetched."
            ));
            continue;
        }
        let key =
            if form.dedupe.is_empty() { "its content, byte for byte".to_owned() } else { places(&form.dedupe, ", ") };
        lines.push(format!("A repetition{which} is known by {key}."));
        if form.is_loose() {
            lines.push(format!(
                "Some values{which} that lead to a record or state what has happened are not signed. The signed part of a \
                 notification counts for the records that it reached first. Signed ids lead before unsigned ones."
            ));
        }
        if !form.time_signed {
            lines.push(format!(
                "The time of a notification{which} is not signed. If a notification comes again with another time, the time \
                 of the first one counts, however long ago that was."
            ));
        }
    }
    lines.join("\n\n")
}

/// Where the times stand, and what is done with a message that has none.
fn times(forms: &[Form]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for form in forms.iter().filter(|form| form.rules.iter().any(|rule| !rule.ignore)) {
        let which = if forms.len() > 1 { format!(" of form {}", code(&form.name)) } else { String::new() };
        let mut at: Vec<Place> = Vec::new();
        for place in form.rules.iter().filter(|rule| !rule.ignore).flat_map(|rule| form.time_of(rule)) {
            if !at.contains(place) {
                at.push(place.clone());
            }
        }
        let receipt =
            if form.fetch.is_some() { "its receipt, a fetched object as of its fetch" } else { "its receipt" };
        let without = match form.without_time {
            Some(WithoutTime::DeadLetter) => "is a dead letter".to_owned(),
            Some(WithoutTime::Receipt) | None => format!("counts as of {receipt}"),
        };
        lines.push(if at.is_empty() {
            format!("A message{which} names no time of its event. It {without}.")
        } else {
            format!(
                "The time of an event{which} stands at {}. A message without a time {without}.",
                places(&at, " or ")
            )
        });
    }
    lines.join("\n\n")
}

fn amounts(profile: &Profile) -> String {
    let unit = |amounts| match amounts {
        Amounts::Minor => "in minor units (cents)",
        Amounts::Major => "in major units (euros)",
    };
    let mut text = format!("Amounts are {}", unit(profile.amounts));
    for form in &profile.forms {
        if let Some(own) = form.defaults.amounts.filter(|own| *own != profile.amounts) {
            text.push_str(&format!(", those of form {} {}", code(&form.name), unit(own)));
        }
    }
    text.push('.');
    if !profile.exponents.is_empty() {
        let digits = profile.exponents.iter().map(|(currency, digits)| format!("{currency} {digits}"));
        let digits = digits.collect::<Vec<_>>().join(", ");
        text.push_str(&format!(" Decimal places where the PSP differs from ISO 4217: {digits}."));
    }
    text
}

fn fetched(form: &Form, fetch: &Fetch) -> String {
    let when = match (form.pointer_only, fetch.mode) {
        (true, _) => {
            "A notification of this form is a pointer: the object that it names is fetched, and nothing else in it is read."
        }
        (_, FetchMode::Always) => {
            "The object is fetched for every notification, unless the source is configured otherwise."
        }
        (_, FetchMode::Unverified) => "The object is fetched if a notification cannot be verified.",
        (_, FetchMode::Configured) => {
            "The object is fetched for the notifications below, if the source has a `fetch` table."
        }
        (_, FetchMode::Never) => "Notifications are complete; a source may still be configured to fetch the object.",
    };
    let auth = match fetch.auth {
        FetchAuth::Bearer => "`Authorization: Bearer` and the source's token",
        FetchAuth::BasicUser => "HTTP Basic, the source's token as user name and no password",
        FetchAuth::Basic => "HTTP Basic with the source's user name and password",
        FetchAuth::Plain => "`Authorization` with the source's token as it is",
    };
    let mut text = format!("{when} The calls go below {}, with {auth}", code(&fetch.base));
    if !fetch.headers.is_empty() {
        let headers = fetch.headers.iter().map(|(name, value)| code(&format!("{name}: {value}")));
        text.push_str(&format!(" and {}", headers.collect::<Vec<_>>().join(", ")));
    }
    text.push_str(":\n\n");
    let call = |call: &Call| {
        let when = words::conditions(&call.when);
        let when = if when.is_empty() { when } else { format!(", where {when}") };
        let needed = if call.needed { "; a dead letter where nothing is fetched" } else { "" };
        format!("{}{when}{needed}", code(&format!("GET {}", call.path)))
    };
    text.push_str(&bulleted(&fetch.calls.iter().map(call).collect::<Vec<_>>()));
    if let Some(part) = &fetch.part {
        text.push_str(&format!("\n\nOnly {} of the response is read.", codes(&[part.to_string()])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psp::profile::catalogue::Catalogue;

    #[test]
    fn a_page_says_what_the_profile_says() {
        let catalogue = Catalogue::built_in().unwrap();
        let page = page(&catalogue.get("adyen").unwrap().profile);
        for part in [
            "# Adyen\n",
            "200 with the body `[accepted]`",
            "hexadecimal",
            "`CAPTURE_FAILED`",
            "outranks every other state of the same second",
            "CLP 2",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        for (name, part) in [
            ("mollie", "[sources.NAME.fetch]\ntoken = { env = \"MOLLIE_TOKEN\" }\n"),
            ("mollie", "A repetition of form `classic` is one more hint"),
            ("mollie", "share a limited number of slots"),
            ("mollie", "or while too many hints wait"),
            ("unzer", "401 if the notification points to nothing that can be fetched"),
            ("razorpay", "A repetition is known by its content, byte for byte."),
            ("adyen", "The time of a notification of form `item` is not signed"),
            ("braintree", "after the last `|`. It protects the message"),
            ("payone", "in the field `/key`. It protects no part of the notification"),
            ("payone", "Succeeded (nothing, `completed`)"),
        ] {
            let page = super::page(&catalogue.get(name).unwrap().profile);
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(!page.lines().any(|line| line.ends_with(' ')), "{page}");
    }
}
