//! Scenarios for fault tests: a history of a store, and the next piece of work.

use serde_json::json;

use super::rig::KEPT_S;
use super::work::{
    Work, agreement, at, bearer, capture, captured_as, fetch_failed, fetched, hinted, loose, moment, notified, paid,
    payment, pointing, preauth, refund, refunded, register, replayed, settled, taken, undated, usable,
};
use crate::domain::event::Event;
use crate::domain::ids::Kind;
use crate::domain::message::Meaning;
use crate::store::Settlement;

#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) history: Vec<Work>,
    pub(super) work: Work,
    /// A part of the work's result. It proves that the scenario is what its name says.
    pub(super) says: &'static str,
}

fn scenario(name: &'static str, history: Vec<Work>, work: Work, says: &'static str) -> Scenario {
    Scenario { name, history, work, says }
}

pub(super) fn all() -> Vec<Scenario> {
    let done = notifications().into_iter().chain(releases()).chain(registrations()).chain(relatives());
    done.chain(settlements()).chain(housekeeping()).chain(clock()).chain(fetches()).chain(corrections()).collect()
}

/// The store's clock.
fn clock() -> Vec<Scenario> {
    let kept = Work::KeepClock(moment(5_000));
    let later = Work::KeepClock(moment(6_000));
    vec![
        scenario("a clock that begins", vec![p1()], Work::StartClock(at(5_000)), "before: None"),
        scenario("a clock that goes on", vec![kept.clone()], Work::StartClock(at(6_000)), "before: Some"),
        scenario("a clock that is kept", vec![kept], later, "Some"),
    ]
}

/// A reread corrects a record, and judges a dead letter anew: its event waits, or reaches the record.
fn corrections() -> Vec<Scenario> {
    let history = || vec![p1(), notified(2, vec![paid(10, &["pi_1"], 40)]), taken(3, no())];
    let events = |psp_id| Meaning::Events(vec![bearer(11, &[psp_id])]);
    vec![
        scenario("a record is corrected", history(), Work::Correct(3, events("pi_1")), "judgements: [Now]"),
        scenario("a record that learns an id", history(), Work::Correct(3, events("ch_new")), "families: [Now]"),
        scenario("a dead letter waits", history(), Work::Correct(3, events("pi_9")), "judgements: [Now]"),
    ]
}

fn p1() -> Work {
    payment("p1", "pi_1")
}

fn notifications() -> Vec<Scenario> {
    let applied = notified(2, vec![paid(10, &["pi_1", "ch_1"], 40)]);
    let refused = vec![p1(), notified(2, vec![paid(10, &["pi_1"], 100)]), refund("r1", "re_1", "p1", 150)];
    let mut dollars = paid(10, &["pi_1"], 40);
    dollars.currency = Some("USD".parse().unwrap());
    let two_refunds = vec![p1(), refund("r1", "re_1", "p1", 30), notified(2, vec![paid(10, &["pi_1"], 100)])];
    vec![
        scenario("a notification is applied", vec![p1()], applied.clone(), "Applied"),
        scenario("a second change", vec![p1(), applied.clone()], notified(3, vec![paid(11, &["pi_1"], 60)]), "Applied"),
        scenario("a stale one", vec![p1(), applied.clone()], notified(3, vec![paid(5, &["pi_1"], 60)]), "Stale"),
        scenario("a repetition", vec![p1(), applied.clone()], applied.clone(), "replayed: true"),
        scenario("one whose time nobody signs", vec![p1()], undated(2, vec![paid(10, &["pi_1"], 40)]), "Applied"),
        scenario("one that may be led elsewhere", vec![p1()], loose(2, vec![paid(10, &["pi_1"], 40)]), "Applied"),
        scenario(
            "one that is led elsewhere",
            vec![p1(), payment("p2", "pi_2"), loose(2, vec![paid(10, &["pi_1"], 40)])],
            loose(3, vec![paid(10, &["pi_2"], 40)]),
            "Repeated",
        ),
        scenario("one that is parked", vec![], notified(2, vec![paid(10, &["pi_9", "ch_9"], 40)]), "Parked"),
        scenario(
            "one too many that is parked",
            vec![notified(2, vec![paid(10, &["pi_8"], 40)]), notified(3, vec![paid(10, &["pi_9"], 40)])],
            notified(4, vec![paid(10, &["pi_7"], 40)]),
            "crowded_out: 1",
        ),
        scenario("one that is ignored", vec![], taken(2, Meaning::Ignored), "Ignored"),
        scenario("one that nobody understands", vec![], taken(2, Meaning::NotUnderstood("?".into())), "DeadLetter"),
        scenario("another currency", vec![p1()], notified(2, vec![dollars]), "DeadLetter"),
        scenario("too large a refund", refused, notified(3, vec![refunded(11, "re_1", 150)]), "OverRefunded"),
        scenario("a refund and its payment", two_refunds, notified(3, vec![refunded(11, "re_1", 30)]), "Applied"),
        scenario(
            "a batch of everything",
            vec![p1(), refund("r1", "re_1", "p1", 30)],
            notified(3, vec![paid(10, &["pi_1", "ch_1"], 100), refunded(11, "re_1", 30), paid(12, &["pi_9"], 1)]),
            "Applied",
        ),
    ]
}

fn releases() -> Vec<Scenario> {
    let waits = notified(2, vec![bearer(10, &["ch_1"])]);
    let unbound = register(Kind::Payment, "p1", 0, json!({"requestedAmount": 100, "currency": "EUR"}));
    let mut named = paid(10, &["pi_1", "ch_1"], 40);
    named.references = vec!["p1".parse().unwrap()];
    vec![
        scenario(
            "a notification releases another by the id it teaches",
            vec![p1(), waits.clone()],
            notified(3, vec![paid(11, &["pi_1", "ch_1"], 40)]),
            "Applied",
        ),
        scenario("a reference teaches ids", vec![unbound, waits], notified(3, vec![named]), "Applied"),
    ]
}

fn registrations() -> Vec<Scenario> {
    let parked = notified(2, vec![paid(10, &["pi_1", "ch_1"], 40)]);
    let learned = notified(2, vec![paid(10, &["pi_1", "pi_2"], 40)]);
    let corrected = register(Kind::Payment, "p1", 50, json!({"pspTransactionId": "pi_2"}));
    let other = notified(3, vec![bearer(11, &["pi_2"])]);
    let refund_first = vec![
        refund("r1", "re_1", "p1", 30),
        notified(3, vec![refunded(11, "re_1", 30)]),
        notified(2, vec![paid(10, &["pi_1"], 100)]),
    ];
    vec![
        scenario("a new record", vec![], p1(), "created: true"),
        scenario("a new record that was awaited", vec![parked], p1(), "owed: [Owed"),
        scenario("a payment after its refund", refund_first.clone(), p1(), "owed: [Owed"),
        scenario(
            "a refund after its payment",
            vec![p1(), refund_first[1].clone(), refund_first[2].clone()],
            refund_first[0].clone(),
            "owed: [Owed",
        ),
        scenario("another PSP id that was awaited", vec![p1(), other], corrected, "created: false"),
        scenario("a PSP id that another record learned", vec![p1(), learned], payment("p2", "pi_2"), "created: true"),
        scenario(
            "a source",
            vec![p1()],
            register(Kind::Payment, "p1", 50, json!({"source": super::work::SOURCE})),
            "created: false",
        ),
    ]
}

/// Refunds that nobody registered, captures of a preauthorization, and agreements with one means of payment.
fn relatives() -> Vec<Scenario> {
    let refund_event = || Event { payment_ids: vec!["pi_1".into()], ..refunded(11, "re_1", 30) };
    let unregistered = vec![p1(), notified(2, vec![paid(10, &["pi_1"], 100)]), notified(3, vec![refund_event()])];
    let named = Event { references: vec!["r1".parse().unwrap()], ..refund_event() };
    let by_reference = vec![unregistered[0].clone(), unregistered[1].clone(), notified(3, vec![named])];
    let without_id = json!({"paymentTransactionId": "p1", "requestedAmount": 30, "currency": "EUR"});
    let captured = Event { originals: vec!["auth".into()], ..paid(10, &["ch_1"], 40) };
    let placed = vec![preauth("a1", "auth"), capture("c1", "a1"), notified(2, vec![captured.clone()])];
    let active = notified(2, vec![usable(10, &["token", "card"])]);
    vec![
        scenario("a refund that nobody registered", unregistered[..2].to_vec(), unregistered[2].clone(), "p1"),
        scenario("its registration", unregistered.clone(), refund("r1", "re_1", "p1", 30), "owed: [Owed"),
        scenario(
            "its registration by reference",
            by_reference,
            register(Kind::Refund, "r1", 1, without_id),
            "owed: [Owed",
        ),
        scenario("an event for the only capture", placed[..2].to_vec(), placed[2].clone(), "Applied"),
        scenario("a second capture", placed.clone(), capture("c2", "a1"), "TakenBack"),
        scenario(
            "an event for any of two captures",
            vec![preauth("a1", "auth"), capture("c1", "a1"), capture("c2", "a1")],
            placed[2].clone(),
            "DeadLetter",
        ),
        scenario("a capture that gets its id", placed, captured_as("c1", "ch_1"), "created: false"),
        scenario("a second agreement", vec![agreement("g1", "token"), active.clone()], agreement("g2", "token"), "g2"),
        scenario("two agreements", vec![agreement("g1", "token"), agreement("g2", "token")], active, "g2"),
        scenario(
            "a companion that waits",
            vec![],
            notified(2, vec![Event { companion: true, ..usable(10, &["token"]) }]),
            "Ignored",
        ),
    ]
}

fn settlements() -> Vec<Scenario> {
    let owed = vec![p1(), notified(2, vec![paid(10, &["pi_1"], 40)])];
    let fresh: Vec<_> = owed.iter().cloned().chain([notified(3, vec![paid(11, &["pi_1"], 60)])]).collect();
    let retry = Settlement::Retry { at: at(2_010), not_before: Some(at(2_009)), reason: "HTTP 503".into() };
    let give_up = given_up();
    let dead: Vec<_> = owed.iter().cloned().chain([settled(2, give_up.clone())]).collect();
    vec![
        scenario("told", owed.clone(), settled(2, Settlement::Told), "None"),
        scenario("told, and changed meanwhile", fresh.clone(), settled(2, Settlement::Told), "Some"),
        scenario("to be tried again", owed.clone(), settled(2, retry.clone()), "Some"),
        scenario("to be tried again, and changed meanwhile", fresh.clone(), settled(2, retry), "Some"),
        scenario("given up", owed, settled(2, give_up.clone()), "None"),
        scenario("given up, and changed meanwhile", fresh, settled(2, give_up), "Some"),
        scenario("revived", dead.clone(), notified(3, vec![paid(11, &["pi_1"], 60)]), "Applied"),
        scenario("given up and told again", dead.clone(), Work::Tell, "p1"),
        scenario("given up and owed again", dead, Work::OweAgain, "owed again: 1"),
        scenario("told once more", vec![p1()], Work::Tell, "p1"),
    ]
}

fn given_up() -> Settlement {
    Settlement::GiveUp { reason: "HTTP 500".into(), awaits_host: true }
}

/// Housekeeping with old rows: told versions, parked events, a dead letter.
fn housekeeping() -> Vec<Scenario> {
    let told = vec![p1(), notified(2, vec![paid(10, &["pi_1"], 40)]), settled(2, Settlement::Told)];
    let mut dollars = paid(10, &["pi_1"], 40);
    dollars.currency = Some("USD".parse().unwrap());
    let refused = vec![p1(), notified(2, vec![dollars])];
    let parked = vec![notified(2, vec![paid(10, &["pi_9", "ch_9"], 40)])];
    let now = Work::Prune(moment(10_000 + i64::try_from(KEPT_S).unwrap_or_default()));
    vec![
        scenario("what is told is pruned", told, now.clone(), "rows: 3"),
        scenario("a dead letter is pruned", refused, now.clone(), "dead_letters: [DeadLetterGone"),
        scenario("what is parked waits in vain", parked, now, "waited_in_vain: [0"),
    ]
}

/// Fetches that are asked for, answered, or failed.
fn fetches() -> Vec<Scenario> {
    let news = || Meaning::Events(vec![paid(10, &["pi_1", "ch_1"], 40)]);
    let asked = || pointing(2, "/payments/pi_1");
    let hint = || hinted(2, "/payments/pi_1");
    let dead = vec![p1(), asked(), fetch_failed(1, None)];
    let parked = || vec![hint(), fetched(1, 2, news())];
    let wait = Some(at(2_010));
    let now = Work::Prune(moment(10_000 + i64::try_from(KEPT_S).unwrap_or_default()));
    vec![
        scenario("a pointer", vec![p1()], asked(), "Fetching"),
        scenario("a second pointer to the same", vec![p1(), asked()], pointing(3, "/payments/pi_1"), "Fetching"),
        scenario("a pointer that is repeated", vec![p1(), asked()], asked(), "replayed: true"),
        scenario("a hint", vec![], hint(), "Fetching"),
        scenario("a second hint at the same", vec![hint()], hinted(3, "/payments/pi_1"), "Fetching"),
        scenario("a pointer is fetched", vec![p1(), asked()], fetched(1, 2, news()), "owed: [Owed"),
        scenario("a pointer to what is not understood", vec![asked()], fetched(1, 2, no()), "DeadLetter"),
        scenario("a hint is fetched", vec![p1(), hint()], fetched(1, 2, news()), "owed: [Owed"),
        scenario("a hint at what is not registered", vec![hint()], fetched(1, 2, news()), "Parked"),
        scenario(
            "another hint at what is not registered",
            [parked(), vec![hint()]].concat(),
            fetched(2, 2, news()),
            "Parked",
        ),
        scenario("a hint at what concerns no record", vec![hint()], fetched(1, 2, Meaning::Ignored), "outcome: None"),
        scenario(
            "a hint while another is fetched",
            vec![p1(), hint(), hinted(3, "/payments/pi_1")],
            fetched(1, 2, news()),
            "Applied",
        ),
        scenario("a fetch fails", vec![p1(), asked()], fetch_failed(1, wait), "through: []"),
        scenario("a fetch is given up", vec![p1(), asked()], fetch_failed(1, None), "DeadLetter"),
        scenario("a hint at nothing", vec![hint()], fetch_failed(1, None), "outcome: None"),
        scenario("a hint at what is registered", vec![p1(), hint()], fetch_failed(1, None), "DeadLetter"),
        scenario("a dead letter is judged anew", dead.clone(), replayed(2, news()), "Applied"),
        scenario("a dead letter is fetched anew", dead, replayed(2, Meaning::Fetch("/p/pi_1".into())), "Fetching"),
        scenario("what was fetched is pruned", vec![asked(), fetched(1, 2, Meaning::Ignored)], now, "rows: 2"),
    ]
}

fn no() -> Meaning {
    Meaning::NotUnderstood("?".into())
}
