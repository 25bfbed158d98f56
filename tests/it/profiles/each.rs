//! The tests of each PSP, by the name of its profile.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use transform_relay::psp::profile::catalogue::BUILT_IN;

use super::{bodies, challenges, unknown_states, vectors};
use crate::{fixtures, histories};

/// The tests of each of these profiles. A dash in a profile's name is an underscore here.
macro_rules! each_psp {
    ($($psp:ident)*) => {
        /// The profiles that are tested.
        const TESTED: &[&str] = &[$(stringify!($psp)),*];

        $(mod $psp {
            use super::*;

            fn name() -> String {
                named(stringify!($psp))
            }

            #[test]
            fn every_vector_gives_its_verdict() {
                vectors::each_gives_its_verdict(&name());
            }

            #[test]
            fn a_body_that_is_signed_cannot_be_changed() {
                vectors::none_verifies_with_a_newline_more(&name());
            }

            #[test]
            fn what_nobody_signs_makes_no_other_notification() {
                vectors::each_keeps_its_dedupe_key(&name());
            }

            #[test]
            fn every_challenge_gives_its_answer() {
                challenges::each_gives_its_answer(&name());
            }

            #[test]
            fn every_fixture_gives_its_events() {
                bodies::each_gives_its_events(&name());
            }

            #[test]
            fn every_mapped_type_has_a_fixture() {
                bodies::each_mapped_type_is_seen(&name());
            }

            #[test]
            fn an_unknown_state_is_a_dead_letter() {
                unknown_states::each_is_a_dead_letter(&name());
            }

            #[test]
            fn the_order_leaves_no_trace() {
                histories::in_many_orders(&name());
            }

            #[test]
            fn an_authorization_is_no_payments_success() {
                histories::authorizations(&name());
            }
        })*
    };
}

each_psp! {
    adyen
    braintree
    checkout_com
    digital_river
    frisbii_media
    frisbii_pay
    gocardless
    klarna
    mollie
    nets_easy
    payone
    paypal
    quickpay
    razorpay
    square
    standard_webhooks
    stripe
    unzer
    vipps_mobilepay
    worldline
    worldpay
    worldpay_wpg
}

/// The name of the profile with this name of a module.
fn named(module: &str) -> String {
    module.replace('_', "-")
}

/// Neither a profile without tests nor a folder that no test reads.
#[test]
fn every_profile_has_its_tests_and_its_fixtures() {
    let tested: BTreeSet<_> = TESTED.iter().map(|module| named(module)).collect();
    let built_in: BTreeSet<_> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(tested, built_in, "the tested profiles and the built-in ones");
    let folders = fs::read_dir(fixtures::root()).unwrap().map(|entry| entry.unwrap().path());
    let folders =
        folders.filter(|path| path.is_dir()).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    // What earlier versions of the store have written belongs to no profile, and a case to none alone.
    let folders: BTreeSet<_> = folders.filter(|name| !["cases", "stored"].contains(&name.as_str())).collect();
    assert_eq!(folders, built_in, "the folders of fixtures/ and the built-in profiles");
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|its| its == ending)
}

/// Nothing lies where no test reads it.
#[test]
fn every_file_of_the_fixtures_is_read() {
    for (name, _) in BUILT_IN {
        let known = ["bodies", "challenges.toml", "events.txt", "fetched", "vectors.toml"];
        for path in fixtures::entries(&fixtures::file(name, "")) {
            assert!(known.iter().any(|known| path.ends_with(known)), "{} is not read", path.display());
        }
        for path in fixtures::entries(&fixtures::file(name, "bodies")) {
            assert!(path.is_file(), "{} is no file", path.display());
            // Headers are read with their body, and with nothing else.
            let bodies = ["json", "form", "xml"].map(|ending| path.with_extension(ending));
            let is_body = bodies.contains(&path);
            let has_body = has_ending(&path, "headers") && bodies.iter().any(|body| body.is_file());
            assert!(is_body || has_body, "{} is no body and belongs to none", path.display());
        }
        for path in fixtures::entries(&fixtures::file(name, "fetched")) {
            assert!(path.is_file() && has_ending(&path, "json"), "{} is no fetched object", path.display());
        }
    }
}
