//! Cases: small histories of a few records, each played in many orders and with repetitions. Every order must end in what
//! Transform must read. CONTRIBUTING.md says how a case is written.

mod case;
mod compare;
mod orders;
mod play;
mod posted;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{env, io, thread};

use self::case::Case;
use self::compare::{apart, wrong};
use self::orders::orders;
use self::play::{End, play};
use crate::fixtures;

/// The cases beside the project that read right.
const READ_RIGHT: &[&str] = &[
    "a01a-stripe-lost-and-reinstated-in-part",
    "a01d-braintree-dispute-won-in-part",
    "a02a-stripe-charge-refunded-2023",
    "a02b-stripe-charge-refunded-2020",
    "a03a-adyen-chargeback-without-capture-reference",
    "a03b-adyen-capture-with-a-foreign-reference",
    "a03d-stripe-capture-of-a-payment-without-psp-id",
    "a04a-paypal-two-reversals-of-one-capture",
    "a04b-paypal-second-dispute-won-wipes-the-first-reversal",
    "a05a-stripe-multicapture-charge-updated",
    "a06a-adyen-expire-of-the-rest",
    "a06c-paypal-void-of-the-rest",
    "a07a-adyen-refund-after-rejected-review",
    "a07b-stripe-dashboard-refund",
    "a08a-braintree-dispute-of-zero",
    "a09a-stripe-dispute-fee-of-the-first-transaction",
    "a10a-stripe-released-remainder-is-parked",
    "b01-worldpay-chargeback-after-preauth",
    "b02-payone-debit-is-a-refund",
    "b04-payone-late-failed-overturns-reservation",
    "b05-payone-recurring-state-same-bytes",
    "b06-wpg-voided",
    "b07-wpg-refund-expired",
    "b08-gocardless-old-mandate-cancelled",
    "b09-payone-failed-with-number-1",
    "c01-checkout-timestamp-capture",
    "c03-stripe-manual-capture-of-the-method-canceled",
    "c05-adyen-refused-second-attempt",
    "c07-checkout-declined-other-payment",
    "c11-stripe-abandoned-setup",
    "c12-stripe-card-updated",
    "c13-stripe-preauth-of-zero",
    "c14-stripe-session-expired",
    "c15-checkout-authentication-failed",
    "c16-stripe-thin-event",
    "c17-stripe-cancelled-is-a-record",
    "e01-stripe-replaced-card-detached",
    "e02-adyen-old-token-disabled",
    "e04-frisbii-pay-old-method-deleted",
    "e05-adyen-recurring-contract-false",
    "e06-stripe-single-use-mandate-used",
    "e07-razorpay-bearer-of-the-other-attempt",
    "e08-gocardless-mandate-transferred",
    "e09-checkout-bank-account-updated",
    "e11-razorpay-charged-after-the-end",
    "e12-payment-bearer-from-agreement",
    "e13-stripe-agreement-made-by-the-first-payment",
    "e13b-stripe-then-detached",
    "e16-bearer-of-two-means-mixed",
    "e21-gocardless-regular-end-is-no-error",
    "e22-stripe-customer-deleted",
    "e25-gocardless-second-mandate-old-cancelled",
    "qd01-checkout-partial-void",
    "qd04-unzer-partial-cancel-of-authorization",
    "qf01-adyen-refund-made-twice",
    "qf05-adyen-second-refund-request-refused",
    "qf06-checkout-second-refund-declined",
    "qf09-paypal-refund-made-twice",
    "qg01-adyen-two-parts-one-preauth",
    "qg02-adyen-two-parts-one-cancelled",
    "qg05-square-gift-card-and-card",
    "qi05-adyen-adjusted-payment-automatic-capture",
    "qi07a-adyen-adjusted-in-the-same-second",
    "qk01-razorpay-retrieval-lost",
    "qn01-paypal-huf-without-decimals",
    "qp01-payone-underpaid",
    "qr01-mollie-refund-above-the-payment",
    "qr02-square-tip-refunded",
    "qv01-adyen-reversal-becomes-cancel",
    "qv03-adyen-reversal-event",
];

#[test]
fn every_case_of_ours_ends_as_expected_in_every_order() {
    let faults = walked(&fixtures::entries(&fixtures::root().join("cases")));
    assert!(!faults.is_empty(), "where are the cases?");
    let faults: Vec<_> =
        faults.iter().filter_map(|(name, fault)| Some(format!("{name}: {}", fault.as_ref()?))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A case that reads right is listed, so that it never reads wrong again.
#[test]
fn the_cases_beside_the_project_that_read_right_are_listed() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    let folder = env::var_os("CASES").map_or(beside, PathBuf::from);
    let mut files = fixtures::files(&folder);
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    if files.is_empty() {
        // Not by `println`, which is not shown while tests pass.
        writeln!(io::stderr(), "NOT RUN: there are no cases in {}", folder.display()).unwrap();
        return;
    }
    let walked = walked(&files);
    if env::var_os("CASES_REPORT").is_some() {
        report(&walked);
    }
    let unknown: Vec<_> = READ_RIGHT.iter().filter(|name| !walked.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "READ_RIGHT lists cases that do not exist: {unknown:?}");
    let faults = walked.iter().filter_map(|(name, fault)| match (fault, READ_RIGHT.contains(&name.as_str())) {
        (Some(fault), true) => Some(format!("{name} reads wrong: {fault}")),
        (None, false) => Some(format!("{name} reads right: list it in READ_RIGHT")),
        _ => None,
    });
    let faults: Vec<_> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A walk that sees no fault would prove nothing.
#[test]
fn a_wrong_end_is_seen() {
    let file = fixtures::root().join("cases/stripe-paid-and-refunded-in-part.json");
    let mut case = Case::read(&file);
    let payment = case.expected.values_mut().next().unwrap();
    payment.insert("refundableAmount".to_owned(), 39.into());
    let fault = fault(&case).unwrap();
    assert!(fault.contains("[forward]") && fault.ends_with("refundableAmount: expected 39, read 40"), "{fault}");
}

/// Where only the order of arrival tells what is new, the walk sees that other orders end otherwise.
#[test]
fn an_end_that_hangs_on_the_order_is_seen() {
    let file = fixtures::root().join("cases/payone-debit-is-returned.json");
    let mut case = Case::read(&file);
    assert_eq!(fault(&case), None);
    case.ordered = false;
    let fault = fault(&case).unwrap();
    assert!(!fault.contains("[forward]"), "{fault}");
}

/// Prints a line for each case.
fn report(walked: &BTreeMap<String, Option<String>>) {
    for (name, fault) in walked {
        println!(
            "{} {name}  {}",
            if fault.is_none() { "ok   " } else { "wrong" },
            fault.as_deref().unwrap_or_default()
        );
    }
    println!("{} of {} read right", walked.values().filter(|fault| fault.is_none()).count(), walked.len());
}

/// The first fault of each case, by the name of its file.
fn walked(files: &[PathBuf]) -> BTreeMap<String, Option<String>> {
    let (left, walked) = (Mutex::new(files.iter()), Mutex::new(BTreeMap::new()));
    let walk = || {
        while let Some(file) = { left.lock().unwrap().next() } {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            let fault = fault(&Case::read(file));
            walked.lock().unwrap().insert(name, fault);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(walk);
        }
    });
    walked.into_inner().unwrap()
}

/// The first order in which a case does not end as it must, with the first difference.
fn fault(case: &Case) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut first = None;
    orders(case).iter().find_map(|(order, steps)| {
        let End { read, in_vain } = match runtime.block_on(play(case, steps)) {
            Ok(end) => end,
            Err(refused) => return Some(format!("[{order}] refused: {refused}")),
        };
        let first = first.get_or_insert_with(|| read.clone());
        let fault = wrong(&case.expected, &read).or_else(|| apart(first, &read))?;
        Some(format!("[{order}] {}", [vec![fault], in_vain].concat().join("; ")))
    })
}
