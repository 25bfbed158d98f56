//! The samples for a trial by hand: each is signed as its page says, verifies, and is read.

use transform_relay::guide::page::page;
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::meaning::normalise::normalise;
use transform_relay::psp::profile::catalogue::Catalogue;
use transform_relay::psp::vouch::sign::sign;
use transform_relay::psp::vouch::verify::{Means, verify};

use crate::support::contents::RECEIPT;

#[test]
fn every_sample_verifies_and_is_read() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut seen = 0;
    for entry in catalogue.iter().filter(|entry| !entry.profile.about.by_hand.is_empty()) {
        let (profile, text) = (&entry.profile, page(&entry.profile));
        assert!(text.contains(&format!("profile sign {} --body", profile.name)), "{text}");
        let body = text.split("<<'JSON'\n").nth(1).and_then(|rest| rest.split("\nJSON\n").next()).unwrap();
        let secret = "00112233445566778899aabbccddeeff".to_owned().into();
        let means = Means::secret(&secret);
        let signed = sign(profile, None, &means, RECEIPT.as_second(), "msg_1", body.as_bytes()).unwrap();
        assert!(signed.headers.is_empty(), "one header needs no sample: {:?}", signed.headers);
        let received = Received { headers: &[], body: &signed.body, at: RECEIPT };
        let verified = verify(profile, &means, received).unwrap_or_else(|_| panic!("{}: not verified", profile.name));
        let read = normalise(profile, &InForm::from(&verified), false);
        assert!(read.messages.iter().all(|message| !message.event_type.is_empty()), "{read:?}");
        seen += 1;
    }
    assert!(seen > 0, "no sample");
}
