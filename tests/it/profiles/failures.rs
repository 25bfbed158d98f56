//! The failures that rules name. Cancelled and Expired are states, and a reason for them is no failure.

use transform_relay::domain::status::Status;
use transform_relay::psp::profile::catalogue::BUILT_IN;
use transform_relay::psp::profile::{EventRule, Fixed, Profile};

#[test]
fn a_cancelled_or_expired_record_has_an_error_only_where_its_rule_says_when() {
    let mut seen = 0;
    for (name, text) in BUILT_IN {
        let profile = Profile::read(text).unwrap();
        for rule in profile.forms.iter().flat_map(|form| &form.rules).filter(|rule| may_be_a_state(rule)) {
            let Some(error) = &rule.error else { continue };
            seen += 1;
            assert!(!error.when.is_empty(), "{name}: {:?}: its error needs a `when`", rule.event_type);
        }
    }
    assert!(seen > 10, "{seen}");
}

/// Whether a record may be Cancelled or Expired by this rule.
fn may_be_a_state(rule: &EventRule) -> bool {
    let state = |status: Status| matches!(status, Status::Cancelled | Status::Expired);
    match &rule.status {
        Some(Fixed::Fixed(status)) => state(*status),
        Some(Fixed::Mapped(mapped)) => mapped.map.iter().any(|(_, status)| state(*status)),
        None => false,
    }
}
