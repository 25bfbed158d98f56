//! Route GET /metrics: the counters for a monitor, in the OpenMetrics text format.

use std::sync::atomic::AtomicU64;

use actix_web::{HttpRequest, HttpResponse, web};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::caller::must_be_monitor;
use super::problem::Problem;
use super::state::State;

/// A secret of a source, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    source: String,
    secret: String,
}

/// Refusals of one kind: the route, the source (empty if there is none) and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    route: String,
    source: String,
    reason: &'static str,
}

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn read(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_monitor(&request, &state, &in_force)?;
    let verified = Family::<SecretLabels, Counter>::default();
    let last = Family::<SecretLabels, Gauge<f64, AtomicU64>>::default();
    for source in in_force.sources.values() {
        for secret in &source.secrets {
            let labels = SecretLabels { source: source.name.clone(), secret: secret.name.clone() };
            let vouched = state.ingest.vouched(source, secret);
            verified.get_or_create(&labels).inc_by(vouched.times);
            if let Some(at) = vouched.last {
                last.get_or_create(&labels).set(at.as_duration().as_secs_f64());
            }
        }
    }
    let refusals = Family::<RefusalLabels, Counter>::default();
    for (kind, times) in state.refusals.all() {
        let labels = RefusalLabels { route: kind.at.route, source: kind.at.source, reason: kind.reason };
        refusals.get_or_create(&labels).inc_by(times);
    }
    let mut registry = Registry::with_prefix("transform_relay");
    // While the store cannot be read, the numbers are not known; the counters are.
    let numbers = [
        ("findings", "What GET /findings lists now", state.store.findings_count().await),
        ("given_up", "What GET /dead-letters/deliveries lists now", state.store.given_up_count().await),
    ];
    for (name, help, number) in numbers {
        if let Ok(count) = number {
            let gauge = Gauge::<i64>::default();
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
    }
    registry.register(
        "secret_verified",
        "New notifications that a source's secret has verified since the start",
        verified,
    );
    registry.register(
        "secret_verified_timestamp_seconds",
        "When a source's secret last verified a new notification",
        last,
    );
    registry.register("refusals", "Requests, connections and credentials that were refused since the start", refusals);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|_| Problem::new(500, "the metrics cannot be written"))?;
    Ok(HttpResponse::Ok().content_type(MEDIA_TYPE).body(text))
}
