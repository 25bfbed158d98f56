//! Endpoint checks: each has its answer.

use secrecy::SecretString;
use transform_relay::psp::document::place::Configured;
use transform_relay::psp::vouch::challenge;

use crate::support::contents::{checks, profile};

pub(super) fn each_gives_its_answer(name: &str) {
    let checks = checks(name);
    let Some(challenge) = &profile(name).challenge else {
        assert!(checks.is_empty(), "{name} has no challenge");
        return;
    };
    assert!(!checks.is_empty(), "{name}: no fixture of its challenge");
    for check in checks {
        let secret: Option<SecretString> = check.secret.map(Into::into);
        let configured = Configured { settings: Some(&check.settings), public_url: None };
        let header = |name: &str| check.headers.get(name).cloned();
        let query = |name: &str| check.query.get(name).cloned();
        let answer = challenge::answer(challenge, configured, secret.as_ref(), header, query);
        assert_eq!(answer, check.answer, "{name}, {}", check.name);
    }
}
