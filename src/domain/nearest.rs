//! The nearest of the known names to a name that is none of them, for messages about typing errors.

/// The longest name that is compared, in bytes: comparing takes the product of the lengths.
const COMPARED_MAX: usize = 64;
/// The shortest name that counts as a part of a longer one.
const PART_MIN: usize = 3;

/// The known name that was probably meant: it differs in few letters, or one of both names begins with the other. Case, dashes
/// and underscores do not count.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = plain(given)?;
    let compared = known.into_iter().filter_map(|name| Some((distance(&given, &plain(name)?)?, name)));
    compared.min().map(|(_, name)| name)
}

/// The hint at a name that was probably meant, as the end of a message; empty if no name is near.
#[must_use]
pub fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

fn plain(name: &str) -> Option<String> {
    let compared = !name.is_empty() && name.len() <= COMPARED_MAX;
    compared.then(|| name.to_ascii_lowercase().replace('_', "-"))
}

/// The number of letters in which two names differ; `None` if neither can have been meant by the other.
fn distance(one: &str, other: &str) -> Option<usize> {
    let longer = one.len().max(other.len());
    let differ = strsim::damerau_levenshtein(one, other);
    let is_part = one.len().min(other.len()) >= PART_MIN && (one.starts_with(other) || other.starts_with(one));
    (is_part || differ <= longer.div_ceil(4)).then_some(differ)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typing_error_has_a_nearest_name_and_another_word_has_none() {
        let known = ["listen", "max_body", "tokens", "transform", "username", "stripe", "env"];
        for (given, meant) in [
            ("lisen", Some("listen")),
            ("listne", Some("listen")),
            ("max-body", Some("max_body")),
            ("MaxBody", Some("max_body")),
            ("token", Some("tokens")),
            ("trasnform", Some("transform")),
            ("user", Some("username")),
            ("enviroment", Some("env")),
            ("strpe", Some("stripe")),
            ("colour", None),
            ("e", None),
            ("", None),
            (&"listen".repeat(1000), None),
        ] {
            assert_eq!(nearest(given, known), meant, "{given}");
        }
    }
}
