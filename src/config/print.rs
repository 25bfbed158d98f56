//! Configuration in force as text, which `check` prints. Secrets are counted, never shown.

use std::time::Duration;

use ipnet::IpNet;
use jiff::SignedDuration;

use super::checked::Config;
use crate::fetch::api::Api;
use crate::source::Source;

/// The configuration in force, with secrets masked.
#[must_use]
pub fn in_force(config: &Config) -> String {
    let delivery = &config.delivery;
    let hosts = if delivery.allowed_hosts.is_empty() { "none: no webhook can go anywhere" } else { "" };
    let mut lines = vec![
        format!("server.listen                  {}", config.server.listen),
        format!("server.max_body                {} bytes", config.server.max_body),
        format!("server.max_buffered            {} bytes", config.server.max_buffered),
        format!("server.max_connections         {}", config.server.max_connections),
        format!("server.header_timeout          {}", span(config.server.header_timeout)),
        format!("server.body_timeout            {}", span(config.server.body_timeout)),
        format!("server.write_timeout           {}", span(config.server.write_timeout)),
        format!("server.keep_alive              {}", span(config.server.keep_alive)),
        format!("server.shutdown_grace          {}", span(config.server.shutdown_grace)),
        format!("server.trusted_proxies         {}", listed(&config.proxies.trusted)),
        format!("server.forwarded_header        {}", config.proxies.header.name()),
        format!("store.path                     {}", config.store.path.display()),
        format!("store.must_exist               {}", config.store.must_exist),
        format!("store.max_waiting              {}", config.store.max_waiting),
        format!("store.parked.per_source        {}", config.store.parked.per_source),
        format!("store.parked.max_age           {}", span(config.store.parked.max_age)),
        format!("store.keep.notifications       {}", span(config.store.keep.notifications)),
        format!("store.keep.dead_letters        {}", span(config.store.keep.dead_letters)),
        format!("store.keep.dead_letters_size   {} bytes", config.store.keep.dead_letters_size),
        format!("store.keep.attempts            {}", span(config.store.keep.attempts)),
        format!("store.keep.history             {}", span(config.store.keep.history)),
        format!("debounce.quiet                 {}", span(config.store.debounce.quiet)),
        format!("debounce.max_wait              {}", span(config.store.debounce.max_wait)),
        format!("transform.allowed_hosts        {}{hosts}", delivery.allowed_hosts),
        format!(
            "transform.webhook_target       {}",
            delivery.webhook_target.as_deref().map_or_else(|| "none".to_owned(), without_query)
        ),
        format!("transform credentials          {}", config.transform),
        format!("transform.timeout              {}", span(delivery.timeout)),
        format!("transform.concurrency          {}", delivery.concurrency),
        format!("transform.failed_as            {:?}", config.failed_as).to_lowercase(),
        format!("transform.retry.first          {}", span(delivery.retry.first)),
        format!("transform.retry.max            {}", span(delivery.retry.max)),
        format!("transform.retry.give_up_after  {}", span(delivery.retry.give_up_after)),
        format!("transform.breaker.failures     {}", delivery.breaker.failures),
        format!("transform.breaker.first        {}", span(delivery.breaker.first)),
        format!("transform.breaker.max          {}", span(delivery.breaker.max)),
        format!("integrator credentials         {}", config.integrator),
        format!("monitor credentials            {}", config.monitor),
        format!("oauth.token_lifetime           {}", span(config.token_lifetime)),
        format!("throttle.failures              {}", config.throttle.failures),
        format!("throttle.window                {}", span(config.throttle.window)),
        format!("certificates.roots             {} beside the machine's", config.certificates.roots.len()),
        format!("certificates.timeout           {}", span(config.certificates.timeout)),
        format!("certificates.failures_kept     {}", span(config.certificates.failures_kept)),
    ];
    lines.extend(config.sources.values().map(source));
    if let Some(dir) = &config.profiles_dir {
        lines.push(format!("profiles.dir                   {}", dir.display()));
    }
    let profiles: Vec<_> = config.profiles.iter().map(|entry| entry.profile.name.as_str()).collect();
    lines.push(format!("profiles                       {}", profiles.join(", ")));
    lines.join("\n")
}

/// The settings of a source's fetches.
fn fetch(api: &Api) -> String {
    let mode = format!("{:?}", api.mode).to_lowercase();
    format!(
        "fetches {mode} from {} with {}: {} a second, {} at once, timeout {}, not_found_for {}, give_up_after {}, max_hints {}, max_hints_per_address {}",
        api.base,
        api.auth,
        api.limits.rate,
        api.limits.concurrency,
        span(api.timeout),
        span(api.not_found_for),
        span(api.give_up_after),
        api.slots.all,
        api.slots.each,
    )
}

fn source(source: &Source) -> String {
    let mut parts = vec![format!("profile {}, {} secret(s) ***", source.profile.name, source.secrets.len())];
    let timed = source.secrets.iter().filter(|secret| secret.not_before.is_some() || secret.expires_at.is_some());
    parts.extend(timed.map(|secret| {
        let from = secret.not_before.map(|at| format!(" from {at}")).unwrap_or_default();
        let until = secret.expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
        format!("{:?}{from}{until}", secret.name)
    }));
    if let Some(basic) = &source.authorization.basic {
        parts.push(format!("basic credentials of {:?}", basic.username));
    }
    if !source.authorization.tokens.is_empty() {
        parts.push(format!("{} bearer token(s) ***", source.authorization.tokens.len()));
    }
    parts.extend(source.authorization.clients.iter().map(|client| format!("OAuth client {:?}", client.id)));
    if !source.headers.is_empty() {
        let names: Vec<_> = source.headers.keys().map(String::as_str).collect();
        parts.push(format!("headers {} = ***", names.join(", ")));
    }
    if !source.ip_ranges.is_empty() {
        parts.push(format!("from {}", listed(&source.ip_ranges)));
    }
    parts.extend(source.tolerance_s.map(|seconds| format!("tolerance {seconds}s")));
    if let Some(types) = &source.events {
        parts.push(format!("events {}", types.iter().map(String::as_str).collect::<Vec<_>>().join(" ")));
    }
    parts.extend(source.fetch.as_deref().map(fetch));
    parts.extend(source.closed.map(|status| format!("NOT ENABLED ({status})")));
    format!("sources.{:<22} {}  →  POST /notifications/{}", source.name, parts.join(", "), source.name)
}

fn listed(networks: &[IpNet]) -> String {
    if networks.is_empty() {
        return "none".to_owned();
    }
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A time span as the configuration writes it.
fn span(span: Duration) -> String {
    SignedDuration::try_from(span).map_or_else(|_| format!("{span:?}"), |span| format!("{span:#}"))
}

/// A target without its query, which may carry a token of Transform's.
fn without_query(target: &str) -> String {
    target.split_once('?').map_or_else(|| target.to_owned(), |(path, _)| format!("{path}?***"))
}

/// The settings that are missing before the relay is of use, each with its key and the consequence.
#[must_use]
pub fn missing(config: &Config) -> Vec<&'static str> {
    let wants = [
        (config.sources.is_empty(), "[sources.NAME]: no PSP can post notifications yet"),
        (config.delivery.allowed_hosts.is_empty(), "transform.allowed_hosts: no webhook can go anywhere yet"),
        (config.transform.is_empty(), "transform.tokens: Transform cannot read records yet"),
        (config.integrator.is_empty(), "integrator.tokens: the payment stack cannot register records yet"),
    ];
    wants.into_iter().filter_map(|(missing, hint)| missing.then_some(hint)).collect()
}
