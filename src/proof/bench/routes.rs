//! The other routes: reads of Transform beside a handler that does nothing, and registrations beside ingest, in turns.

use super::contender::Contenders;
use super::figure::{Figure, Goal, ratios};
use super::ingest::{Ingested, RECORDS};
use super::relay::Relay;
use super::rounds::{Contestant, Feed, in_turns};
use super::stage::Stage;
use super::wire::reads;

/// Measures reads and registrations. Gives the notifications back.
pub(super) async fn measure(
    stage: &mut Stage,
    relay: &Relay,
    contenders: &Contenders,
    ingested: Ingested,
) -> anyhow::Result<Ingested> {
    let Ingested { notifications, rate, answered } = ingested;
    let none = &contenders.no_op;
    let (pid, at) = (relay.pid()?, relay.address);
    let same = || Feed::Same(reads(0..RECORDS));
    let mut all = [
        Contestant::begin("reads", at, pid, same()).await?,
        Contestant::begin("reads of the handler that does nothing", none.address, none.pid(), same()).await?,
        Contestant::begin("registrations", at, pid, Feed::Registrations(RECORDS)).await?,
        Contestant::begin("ingest", at, pid, Feed::Notifications(notifications)).await?,
    ];
    in_turns(stage, &mut all).await?;
    let [of_reads, of_none, of_registrations, of_ingest] = all;
    let records = relay.counted("SELECT count(*) FROM records")?;
    stage.count("registrations that the relay answered, and keeps", RECORDS + of_registrations.answered, records);
    let [read, none, registered, took] = [&of_reads, &of_none, &of_registrations, &of_ingest].map(Contestant::rates);
    for figure in [
        Figure::of(
            "readToNoOp",
            "a read of Transform ÷ a GET of a handler that does nothing",
            "",
            &ratios(&read, &none),
        )
        .goal(Goal::AtLeast(0.65)),
        Figure::of("readRate", "  reads", "1/s", &read),
        Figure::of("noOpReadRate", "  a handler that does nothing", "1/s", &none),
        Figure::of("readCpu", "  processor time of the relay, a read", "µs", &of_reads.cpu(|cpu| cpu.whole)),
        Figure::of("registrationsToIngest", "registrations ÷ ingest", "", &ratios(&registered, &took))
            .goal(Goal::AtLeast(1.0)),
        Figure::of("registrationRate", "  registrations", "1/s", &registered),
    ] {
        stage.figure(figure);
    }
    let answered = answered + of_ingest.answered;
    Ok(Ingested { notifications: of_ingest.into_notifications()?, rate, answered })
}
