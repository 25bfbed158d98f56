//! The answer to a path that is no route: it names the routes that the path resembles.

use std::fmt::Write;

use super::problem::Problem;
use crate::domain::nearest::nearest;

/// All routes as a client writes them. Braces hold a variable, or the words that may stand there.
const ROUTES: [&str; 19] = [
    "/notifications/{source}",
    "/api/{Preauth|Payment|Refund|Agreement}/{id}",
    "/api/transactions/{id}?type={1|2|3|4}",
    "/records",
    "/records/{preauth|payment|refund|agreement}/{id}",
    "/records/{preauth|payment|refund|agreement}/{id}/history",
    "/records/{preauth|payment|refund|agreement}/{id}/tell",
    "/deliveries/tell",
    "/oauth/token",
    "/sources",
    "/metrics",
    "/parked",
    "/findings",
    "/dead-letters/notifications",
    "/dead-letters/notifications/{id}/replay",
    "/dead-letters/deliveries",
    "/healthz",
    "/readyz",
    "/openapi.json",
];

/// The number of letters at the beginning of a path that must agree.
const ALIKE: usize = 4;

/// The refusal of a path that is no route. The path itself is not repeated: it may hold a secret.
pub(super) fn no_route(path: &str) -> Problem {
    let path = path.split('?').next().unwrap_or_default();
    Problem::new(404, format!("there is no such route{}", remedy(path)))
}

fn remedy(path: &str) -> String {
    if let Some(kind) = of_the_stack(path) {
        return format!(": POST /api/{kind} is the payment stack's; the relay answers GET /api/{kind}/{{id}}");
    }
    if let Some(meant) = ROUTES.iter().find_map(|route| meant(path, route)) {
        return format!("; did you mean {meant}?");
    }
    let mut similar = String::new();
    for (index, route) in ROUTES.iter().filter(|route| resembles(path, route)).enumerate() {
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
