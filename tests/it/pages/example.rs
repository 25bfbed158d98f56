//! Worked example of docs/PROFILES.md: it is a profile that reads its notification, and its tables equal the code's.

use std::fs;

use jiff::Timestamp;
use transform_relay::domain::event::Booking;
use transform_relay::domain::message::Meaning;
use transform_relay::domain::status::Status;
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::normalise::normalise;
use transform_relay::psp::profile::Profile;
use transform_relay::psp::vouch::sign::sign;
use transform_relay::psp::vouch::verify::{Means, verify};

use super::docs;

/// All blocks of a language, one after the other.
fn blocks(text: &str, language: &str) -> String {
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_example_is_a_profile_that_reads_its_notification() {
    let text = fs::read_to_string(docs("PROFILES.md")).unwrap();
    let profile = Profile::read(&blocks(&text, "toml kiosk")).unwrap();
    let body = blocks(&text, "json");
    let means = |secret| Means::secret(secret);
    let secret = "hush".to_owned().into();
    let now = 1_767_225_600;
    let signed = sign(&profile, None, &means(&secret), now, "", body.as_bytes()).unwrap();
    let (name, value) = &signed.headers[0];
    assert_eq!((name.as_str(), value.starts_with("1767225600.")), ("kiosk-signature", true), "{value}");
    let at = Timestamp::from_second(now).unwrap();
    let received = Received { headers: &signed.headers, body: body.as_bytes(), at };
    let verified = verify(&profile, &means(&secret), received).unwrap();
    let normalised = normalise(&profile, &(&verified).into(), true);
    let Meaning::Events(events) = &normalised.messages[0].meaning else { panic!("{normalised:?}") };
    let event = &events[0];
    assert_eq!((normalised.dedupe_key.as_str(), event.psp_ids.as_slice()), ("evt_81", &["ch_7".to_owned()][..]));
    assert_eq!((event.facts.status, event.references[0].as_str()), (Some(Status::Succeeded), "tx-1"));
    let item = &event.facts.items[0];
    assert_eq!((item.amount.to_string().as_str(), item.booking), ("12.5", Booking::Booked));
}

#[test]
fn every_place_is_explained() {
    let text = fs::read_to_string(docs("PROFILES.md")).unwrap();
    let code = include_str!("../../../src/psp/document/place.rs");
    let rows: Vec<_> = code.lines().filter_map(|line| line.strip_prefix("/// |")).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        assert!(text.contains(&format!("|{row}\n")), "docs/PROFILES.md does not have the place |{row}");
    }
}
