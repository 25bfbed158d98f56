//! The answer to a path that is no route: it names the routes that the path resembles.

use std::fmt::Write;

use super::listener::Clients::{self, Everybody, Inside, Outside};
use super::listener::Listener;
use super::problem::Problem;
use crate::domain::nearest::nearest;

/// All routes as a client writes them, with their clients. Braces hold a variable, or the words that may stand there.
const ROUTES: [(Clients, &str); 20] = [
    (Outside, "/notifications/{source}"),
    (Outside, "/api/{Preauth|Payment|Refund|Agreement}/{id}"),
    (Outside, "/api/transactions/{id}?type={1|2|3|4}"),
    (Inside, "/records"),
    (Inside, "/records/batch"),
    (Inside, "/records/{preauth|payment|refund|agreement}/{id}"),
    (Inside, "/records/{preauth|payment|refund|agreement}/{id}/history"),
    (Inside, "/records/{preauth|payment|refund|agreement}/{id}/tell"),
    (Inside, "/deliveries/tell"),
    (Outside, "/oauth/token"),
    (Inside, "/sources"),
    (Inside, "/metrics"),
    (Inside, "/parked"),
    (Inside, "/findings"),
    (Inside, "/dead-letters/notifications"),
    (Inside, "/dead-letters/notifications/{id}/replay"),
    (Inside, "/dead-letters/deliveries"),
    (Everybody, "/healthz"),
    (Everybody, "/readyz"),
    (Inside, "/openapi.json"),
];

/// The number of letters at the beginning of a path that must agree.
const ALIKE: usize = 4;

/// The refusal of a path that is no route. Only routes of this address are named. The path itself is not repeated: it may hold a secret.
pub(super) fn no_route(path: &str, listener: Listener) -> Problem {
    let path = path.split('?').next().unwrap_or_default();
    Problem::new(404, format!("there is no such route{}", remedy(path, listener)))
}

fn remedy(path: &str, listener: Listener) -> String {
    if let Some(kind) = of_the_stack(path) {
        return format!(": POST /api/{kind} is the payment stack's; the relay answers GET /api/{kind}/{{id}}");
    }
    let routes = || ROUTES.iter().filter(|(clients, _)| listener.has(*clients)).map(|(_, route)| *route);
    if let Some(meant) = routes().find_map(|route| meant(path, route)) {
        return format!("; did you mean {meant}?");
    }
    let mut similar = String::new();
    for (index, route) in routes().filter(|route| resembles(path, route)).enumerate() {
        let before = if index == 0 { "; similar routes: " } else { ", " };
        let _ = write!(similar, "{before}{route}");
    }
    similar
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/').split('/')
}

/// The kind of record that Transform's own request is about, if the path is that of one (contract, section 4).
fn of_the_stack(path: &str) -> Option<&'static str> {
    let mut steps = steps(path);
    let (api, kind, end) = (steps.next()?, steps.next()?, steps.next());
    let of_the_stack = ["Preauth", "Payment", "Refund"].into_iter().find(|name| name.eq_ignore_ascii_case(kind));
    of_the_stack.filter(|_| api.eq_ignore_ascii_case("api") && end.is_none())
}

/// The route with a typing error in the path, if the path is otherwise that route.
fn meant(path: &str, route: &str) -> Option<String> {
    let route = route.split('?').next().unwrap_or_default();
    if steps(path).count() != steps(route).count() {
        return None;
    }
    let meant: Option<Vec<_>> = steps(path).zip(steps(route)).map(|(given, known)| step(given, known)).collect();
    Some(format!("/{}", meant?.join("/")))
}

fn step<'a>(given: &str, known: &'a str) -> Option<&'a str> {
    match known.strip_prefix('{').and_then(|known| known.strip_suffix('}')) {
        Some(words) if words.contains('|') => nearest(given, words.split('|')),
        Some(_) if !given.is_empty() => Some(known),
        Some(_) => None,
        None => nearest(given, [known]),
    }
}

/// Whether the first step of the path begins as that of the route, in any case.
fn resembles(path: &str, route: &str) -> bool {
    let beginning = |text: &str| -> String {
        let step = text.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        step.chars().take(ALIKE).flat_map(char::to_lowercase).collect()
    };
    let begins = beginning(path);
    !begins.is_empty() && begins == beginning(route)
}
