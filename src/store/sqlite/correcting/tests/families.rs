//! Rereads of families: a refund with its payment, a capture with its preauthorization.

use super::*;

/// A payment and its refunds are corrected together or not at all, and the payment is told after the refund.
#[tokio::test]
async fn a_family_is_corrected_as_a_whole() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    trial.register(Kind::Refund, "r1", json!({"pspTransactionId": "re_1", "paymentTransactionId": "p1"})).await;
    let paid = says("payment", 1, &["pi_1"], "Succeeded");
    trial.take(1, paid.clone(), paid).await;
    let [failed, given_back] = ["Failed", "Succeeded"].map(|status| says("refund", 2, &["re_1"], status));
    trial.take(2, failed, given_back).await;
    let rehearsal = trial.rehearse();
    assert_eq!(differing(&rehearsal), [["p1", "r1"]]);
    let news = says("refund", 3, &["re_1"], "Pending");
    trial.take(3, news.clone(), news).await;
    let before = trial.record(Kind::Payment, "p1").await;
    assert_eq!(trial.correct(rehearsal).await.families, [Made::Not]);
    assert_eq!(trial.record(Kind::Payment, "p1").await, before);
    trial.today.insert(id(3), says("refund", 3, &["re_1"], "Succeeded"));
    trial.woken.lock().unwrap().clear();
    assert_eq!(trial.reread().await.families, [Made::Now]);
    let woken = trial.woken.lock().unwrap().clone();
    let after = |id: &str| woken.iter().find(|one| one.key.id.as_str() == id).map(|one| one.after.clone());
    assert_eq!((after("p1"), after("r1")), (Some(vec![key(Kind::Refund, "r1")]), Some(Vec::new())));
}

/// A payment and its refund, with what was registered of the refund besides.
async fn refunded(said: Value) -> Trial {
    let mut trial = Trial::new();
    trial.payments(1).await;
    paid(&mut trial, 1).await;
    trial.register(Kind::Refund, "r1", with(said, json!({"paymentTransactionId": "p1"}))).await;
    trial
}

/// The money of payment p1 comes.
async fn paid(trial: &mut Trial, n: u32) {
    let paid = says("payment", n, &["pi_1"], "Succeeded");
    assert_eq!(trial.take(n, paid.clone(), paid).await, Outcome::Applied);
}

fn with(said: Value, more: Value) -> Value {
    let (Value::Object(mut said), Value::Object(more)) = (said, more) else { panic!("two objects") };
    said.extend(more);
    said.into()
}

/// An event of a refund with this amount.
fn gives_back(n: u32, status: &str, amount: u32) -> Message {
    let mut event = event("refund", n, &["re_1"], status);
    event.facts.refunded = Some(amount.into());
    Message::new("test".to_owned(), Meaning::Events(vec![event]))
}

/// Asserts that a reread finds nothing, and changes no record.
async fn is_right(trial: &Trial, records: &[(Kind, &str)]) {
    let mut before = Vec::new();
    for (kind, id) in records {
        before.push(trial.record(*kind, id).await);
    }
    trial.woken.lock().unwrap().clear();
    let rehearsal = trial.rehearse();
    assert_eq!(differing(&rehearsal), Vec::<Vec<String>>::new());
    assert_eq!(trial.reread().await, Corrected::default());
    for ((kind, id), before) in records.iter().zip(before) {
        assert_eq!(trial.record(*kind, id).await, before);
    }
    assert!(trial.woken.lock().unwrap().is_empty());
}

/// What a child confirms by its registration: in the answer to Transform, and as stated at a time.
fn confirmed() -> [Value; 2] {
    [json!({"status": "Succeeded"}), json!({"status": "Succeeded", "statusAt": "2023-11-14T22:00:00Z"})]
}

#[tokio::test]
async fn a_refund_that_only_its_registration_confirms_stays_in_its_payment() {
    for said in confirmed() {
        let mut trial = refunded(said).await;
        let payment = trial.record(Kind::Payment, "p1").await;
        assert_eq!(payment.refunds, BTreeMap::from([("r1".parse().unwrap(), 10.into())]));
        is_right(&trial, &[(Kind::Payment, "p1"), (Kind::Refund, "r1")]).await;
        // What is wrong with the payment is corrected, and the refund stays.
        trial.today.insert(id(1), says("payment", 1, &["pi_1"], "Failed"));
        assert_eq!(trial.reread().await.families, [Made::Now]);
        let corrected = trial.record(Kind::Payment, "p1").await;
        assert_eq!((trial.status("p1").await, corrected.refunds), (Status::Failed, payment.refunds));
    }
}

#[tokio::test]
async fn a_capture_that_only_its_registration_confirms_stays_in_its_preauthorization() {
    for said in confirmed() {
        for has_event in [true, false] {
            let mut trial = Trial::new();
            trial.register(Kind::Preauth, "a", json!({"pspTransactionId": "auth"})).await;
            if has_event {
                let reserved = says("preauth", 1, &["auth"], "Succeeded");
                assert_eq!(trial.take(1, reserved.clone(), reserved).await, Outcome::Applied);
            }
            trial.register(Kind::Payment, "c", with(said.clone(), json!({"preauthTransactionId": "a"}))).await;
            let preauth = trial.record(Kind::Preauth, "a").await;
            assert_eq!(preauth.captures, BTreeMap::from([("c".parse().unwrap(), 10.into())]));
            is_right(&trial, &[(Kind::Preauth, "a"), (Kind::Payment, "c")]).await;
        }
    }
}

/// An event has told the amount, and the registration overrules its state.
#[tokio::test]
async fn a_refund_that_is_not_confirmed_stays_in_its_payment() {
    let mut trial = refunded(json!({"pspTransactionId": "re_1"})).await;
    let begun = gives_back(2, "Pending", 10);
    trial.take(2, begun.clone(), begun).await;
    for (status, at) in [("Failed", "2023-11-14T23:00:00Z"), ("Succeeded", "2023-11-14T23:30:00Z")] {
        let said = json!({"status": status, "statusAt": at, "paymentTransactionId": "p1"});
        let payment = trial.record(Kind::Payment, "p1").await;
        assert_eq!((payment.unconfirmed.len(), payment.refunds.len()), (1, 0), "before {status}");
        is_right(&trial, &[(Kind::Payment, "p1"), (Kind::Refund, "r1")]).await;
        trial.register(Kind::Refund, "r1", said).await;
    }
    let payment = trial.record(Kind::Payment, "p1").await;
    assert_eq!((payment.unconfirmed.len(), payment.refunds.len()), (0, 1));
    is_right(&trial, &[(Kind::Payment, "p1"), (Kind::Refund, "r1")]).await;
}

/// The notifications of the other source are not read again. Its refund has confirmed an amount by them, or has it by its
/// registration.
#[tokio::test]
async fn a_refund_of_another_source_stays_in_its_payment() {
    for (status, by_event) in [("Succeeded", false), ("Succeeded", true), ("Pending", true)] {
        let mut said = json!({"source": "psp-b", "pspTransactionId": "re_1"});
        if !by_event {
            said["status"] = json!(status);
        }
        let trial = refunded(said).await;
        if by_event {
            let told = normalised(2, gives_back(2, status, 10));
            assert_eq!(trial.take_of("psp-b", 2, told).await, Outcome::Applied);
        }
        let payment = trial.record(Kind::Payment, "p1").await;
        let is_confirmed = status == "Succeeded";
        assert_eq!((payment.refunds.len(), payment.unconfirmed.len()), (is_confirmed.into(), (!is_confirmed).into()));
        is_right(&trial, &[(Kind::Payment, "p1"), (Kind::Refund, "r1")]).await;
        assert_eq!(trial.rehearse().partly.len(), if by_event { 2 } else { 0 });
    }
}

/// The refund is read again, and its payment is not.
#[tokio::test]
async fn a_payment_of_another_source_has_what_its_corrected_refund_has() {
    for by_event in [true, false] {
        let mut trial = Trial::new();
        trial.register(Kind::Payment, "p1", json!({"source": "psp-b", "pspTransactionId": "pi_1"})).await;
        if by_event {
            let told = normalised(1, says("payment", 1, &["pi_1"], "Succeeded"));
            assert_eq!(trial.take_of("psp-b", 1, told).await, Outcome::Applied);
        }
        trial.register(Kind::Refund, "r1", json!({"pspTransactionId": "re_1", "paymentTransactionId": "p1"})).await;
        trial.take(2, gives_back(2, "Failed", 10), gives_back(2, "Succeeded", 10)).await;
        let made = trial.reread().await.families;
        assert_eq!(made, if by_event { Vec::new() } else { vec![Made::Now] });
        let refund = trial.record(Kind::Refund, "r1").await;
        let payment = trial.record(Kind::Payment, "p1").await;
        assert_eq!(crate::domain::family::linked(&payment, &refund), payment, "by event: {by_event}");
    }
}

/// A refused attempt may be followed by another one, with an id of its own.
#[tokio::test]
async fn a_payment_with_another_id_keeps_its_refused_attempt() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    let refused = says("payment", 1, &["pi_1"], "Failed");
    trial.take(1, refused.clone(), refused).await;
    trial.register(Kind::Payment, "p1", json!({"pspTransactionId": "pi_other"})).await;
    let paid = says("payment", 2, &["pi_other"], "Succeeded");
    assert_eq!(trial.take(2, paid.clone(), paid).await, Outcome::Applied);
    is_right(&trial, &[(Kind::Payment, "p1")]).await;
    assert_eq!(trial.rehearse().left, []);
}

/// On the stage the refund is placed on the capture first, since that is registered there before all events.
#[tokio::test]
async fn a_payment_that_a_placed_event_left_again_is_no_difference() {
    let mut trial = Trial::new();
    let captured = Event { originals: vec!["auth".to_owned()], ..event("payment", 2, &["cap"], "Pending") };
    let refund = Event { payment_ids: vec!["auth".to_owned()], ..event("refund", 1, &["re_1"], "Pending") };
    let told = |event| Message::new("test".to_owned(), Meaning::Events(vec![event]));
    trial.take(1, told(refund.clone()), told(refund)).await;
    trial.register(Kind::Payment, "d", json!({"pspTransactionId": "cap"})).await;
    trial.register(Kind::Preauth, "a", json!({"pspTransactionId": "auth"})).await;
    trial.take(2, told(captured.clone()), told(captured)).await;
    trial.register(Kind::Payment, "c", json!({"preauthTransactionId": "a"})).await;
    is_right(&trial, &[(Kind::Payment, "c"), (Kind::Payment, "d")]).await;
}
