//! Warnings about the configuration: those that depend on the time (no secret of a source holds now), and settings that are
//! missing.

use jiff::Timestamp;

use super::checked::Config;
use super::key::one_line;
use crate::access::operators::Role;
use crate::access::secrets::NamedSecret;
use crate::psp::profile::catalogue::Entry;
use crate::source::Source;

/// All warnings about the configuration at this time: settings that are allowed but not wise.
#[must_use]
pub fn warnings(config: &Config, now: Timestamp) -> Vec<String> {
    let open = config.options.sources.values().filter(|source| source.closed.is_none());
    let unheld = open.filter_map(|source| unheld(source, now));
    let own = config.profiles.iter().filter(|entry| !entry.built_in);
    let untimed = own.flat_map(Entry::untimed);
    config.warnings.iter().cloned().chain(unheld).chain(untimed).map(|warning| one_line(&warning)).collect()
}

/// The warning that none of a source's secrets holds, with the remedy.
fn unheld(source: &Source, now: Timestamp) -> Option<String> {
    let Source { name, secrets, secrets_file, .. } = source;
    if secrets.is_empty() || secrets.iter().any(|secret| secret.holds(now)) {
        return None;
    }
    let times: Vec<_> = secrets.iter().map(|secret| time(secret, now)).collect();
    let remedy = match secrets_file {
        // A secret that is planned for later is not rotated.
        Some(_) if secrets.iter().all(|secret| secret.has_expired(now)) => {
            format!("`transform-relay secret rotate {name}` makes one that does")
        }
        _ => "add one that does, or correct the times, and reload".to_owned(),
    };
    let times = times.join(", ");
    Some(format!("sources.{name}.secrets: none holds now; {times}. Signed notifications are refused: {remedy}"))
}

fn time(secret: &NamedSecret, now: Timestamp) -> String {
    let name = &secret.name;
    match (secret.expires_at, secret.not_before) {
        (Some(end), _) if end <= now => format!("{name:?} ended at {end}"),
        (_, Some(from)) => format!("{name:?} begins at {from}"),
        _ => format!("{name:?} holds"),
    }
}

/// The settings that are missing before the relay is of use, each with its key and the consequence.
#[must_use]
pub fn missing(config: &Config) -> Vec<&'static str> {
    let options = &config.options;
    let mut roles = options.operators.values().map(|operator| operator.role);
    let nobody_acts = !options.operators.is_empty() && roles.all(|role| role < Role::Act);
    let wants = [
        (options.sources.is_empty(), "[sources.NAME]: no PSP can post notifications yet"),
        (options.delivery.allowed_hosts.is_empty(), "transform.allowed_hosts: no webhook can go anywhere yet"),
        (options.transform.is_empty() && options.jwt.is_none(), "transform.tokens: Transform cannot read records yet"),
        (options.integrator.is_empty(), "integrator.tokens: the payment stack cannot register records yet"),
        (
            nobody_acts,
            "operators.NAME.role = \"act\": no route lets anybody replay a dead letter or tell of many records",
        ),
    ];
    wants.into_iter().filter_map(|(missing, hint)| missing.then_some(hint)).collect()
}
