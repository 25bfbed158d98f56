//! The path of a source: /notifications/{source}, told without a regular expression.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The path above the sources' names.
pub(super) const SCOPE: &str = "/notifications";

/// The name of a source in a path, if the path is that of this route.
pub(super) fn name_in(path: &str) -> Option<Cow<'_, str>> {
    let name = path.strip_prefix(SCOPE)?.strip_prefix('/')?;
    (!name.is_empty() && !name.contains('/')).then(|| percent_decode_str(name).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_the_only_step_below_the_scope() {
        for (path, name) in [
            ("/notifications/stripe", Some("stripe")),
            ("/notifications/stripe%2Fmain", Some("stripe/main")),
            ("/notifications/%FF", Some("\u{fffd}")),
            ("/notifications/stripe/", None),
            ("/notifications/a/b", None),
            ("/notifications/", None),
            ("/notifications", None),
            ("/notificationss/stripe", None),
            ("/records", None),
        ] {
            assert_eq!(name_in(path).as_deref(), name, "{path}");
        }
    }
}
