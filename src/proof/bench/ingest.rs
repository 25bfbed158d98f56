//! Ingest: the relay, a handler that does nothing, and a service with one transaction for each request, in turns.

use super::contender::Contenders;
use super::figure::{Figure, Goal, quantile, ratios, sorted};
use super::relay::Relay;
use super::rounds::{Contestant, Feed, in_turns};
use super::stage::Stage;
use super::wire::Notifications;

/// The records that are notified of, in turns.
pub(super) const RECORDS: usize = 2_000;

/// What the later measurements need of this one.
#[derive(Debug)]
pub(super) struct Ingested {
    /// The relay's notifications, to be gone on with.
    pub(super) notifications: Notifications,
    /// The relay's saturated rate: the median of its rounds.
    pub(super) rate: f64,
    /// The notifications that the relay has answered with 2xx.
    pub(super) answered: usize,
}

/// Measures ingest.
pub(super) async fn measure(stage: &mut Stage, relay: &Relay, contenders: &Contenders) -> anyhow::Result<Ingested> {
    let (plain, none) = (&contenders.one_transaction, &contenders.no_op);
    let feed = || Notifications::of(RECORDS).map(Feed::Notifications);
    let same = Feed::Same(Notifications::of(RECORDS)?.next(RECORDS)?);
    let mut all = [
        Contestant::begin("ingest", relay.address, relay.pid()?, feed()?).await?,
        Contestant::begin("one transaction for each request", plain.address, plain.pid(), feed()?).await?,
        Contestant::begin("the handler that does nothing", none.address, none.pid(), same).await?,
    ];
    in_turns(stage, &mut all).await?;
    let [of_relay, of_plain, of_none] = all;
    let applied = relay.counted("SELECT count(*) FROM notifications WHERE outcome = 'applied'")?;
    stage.count("notifications that the relay answered, and applied", of_relay.answered, applied);
    let stored = relay.counted("SELECT count(*) FROM notifications")?;
    stage.count("notifications that the relay answered, and keeps", of_relay.answered, stored);
    let stored = plain.stored()?;
    stage.count("notifications answered after one transaction each, and kept", of_plain.answered, stored);
    say(stage, &of_relay, &of_plain, &of_none);
    let rate = quantile(&sorted(&of_relay.rates()), 0.5).unwrap_or_default();
    let answered = of_relay.answered;
    Ok(Ingested { notifications: of_relay.into_notifications()?, rate, answered })
}

fn say(stage: &mut Stage, relay: &Contestant, plain: &Contestant, none: &Contestant) {
    let rates = [relay, plain, none].map(Contestant::rates);
    let [of_relay, of_plain, of_none] = &rates;
    let (writer, whole) = (relay.cpu(|cpu| cpu.writer), relay.cpu(|cpu| cpu.whole));
    for figure in [
        Figure::of("ingestToNoOp", "durable ingest ÷ a handler that does nothing", "", &ratios(of_relay, of_none))
            .goal(Goal::AtLeast(0.14)),
        Figure::of(
            "ingestToOneTransaction",
            "durable ingest ÷ one transaction a request",
            "",
            &ratios(of_relay, of_plain),
        )
        .goal(Goal::AtLeast(6.0)),
        Figure::of("ingestRate", "  durable ingest", "1/s", of_relay),
        Figure::of("oneTransactionRate", "  one transaction a request", "1/s", of_plain),
        Figure::of("noOpRate", "  a handler that does nothing", "1/s", of_none),
        Figure::of("writerCpu", "processor time of the writer, a notification", "µs", &writer).goal(Goal::AtMost(25.0)),
        Figure::of("ingestCpu", "  of the whole relay", "µs", &whole),
        Figure::of("oneTransactionCpu", "  of one transaction a request", "µs", &plain.cpu(|cpu| cpu.whole)),
        Figure::of("noOpCpu", "  of a handler that does nothing", "µs", &none.cpu(|cpu| cpu.whole)),
        Figure::of("generatorShare", "the generator's share of a processor", "", &relay.shares()),
        Figure::of("generatorShareNoOp", "  before a handler that does nothing", "", &none.shares()),
    ] {
        stage.figure(figure);
    }
}
