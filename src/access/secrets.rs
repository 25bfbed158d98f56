//! Rotation of a source's secrets: when each secret holds, and which secret still vouches for notifications.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The most secrets of a source: as many as Digital River keeps for one webhook.
pub const SECRETS_MAX: usize = 5;

/// One of the secrets that a source shares with its PSP.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// The secret's name for people. It may stand in logs and answers.
    pub name: String,
    /// The secret, as the PSP shows it.
    pub value: SecretString,
    /// The PSP's id of the key, where its signatures name one.
    pub key_id: Option<String>,
    /// The secret vouches for nothing that comes before this time.
    pub not_before: Option<Timestamp>,
    /// The secret vouches for nothing that comes at this time or later.
    pub expires_at: Option<Timestamp>,
}

/// The longest name, in bytes: names stand in logs.
pub const NAME_MAX: usize = 64;

/// Whether this is a good name for a secret: not empty, not too long, without control characters.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}

impl NamedSecret {
    /// Whether the secret holds at this time.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.not_before.is_none_or(|from| from <= at) && !self.has_expired(at)
    }

    /// Whether the secret's time is over.
    #[must_use]
    pub fn has_expired(&self, at: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= at)
    }

    /// Whether `other` replaces this secret: it holds longer, or holds as long and began later.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        let age = |secret: &Self| (secret.expires_at.unwrap_or(Timestamp::MAX), secret.not_before);
        age(self) < age(other)
    }
}

/// Adds a new secret to the known ones of a `secrets_file`. `others` are the names of the source's secrets outside that
/// file. The known secrets end at `until`, and expired ones are removed.
///
/// # Errors
/// The reason why the new secret cannot be added. One reason is a known secret that is planned for later: the PSP may
/// already know it, and a rotation would end it.
pub fn rotated(
    known: Vec<NamedSecret>,
    new: NamedSecret,
    now: Timestamp,
    until: Timestamp,
    others: &[&str],
) -> Result<Vec<NamedSecret>, String> {
    if known.iter().any(|old| old.value.expose_secret() == new.value.expose_secret()) {
        return Err("the source has this secret already".to_owned());
    }
    if !is_name(&new.name) {
        return Err(format!("a secret's name must have 1 to {NAME_MAX} bytes and no control characters"));
    }
    if let Some((name, from)) =
        known.iter().find_map(|old| Some((&old.name, old.not_before.filter(|from| *from > now)?)))
    {
        return Err(format!(
            "{name:?} is planned for later: its not_before is {from}, and a rotation would end it by {until}. Remove it from \
             the secrets_file, or rotate once it holds"
        ));
    }
    let mut all: Vec<_> = known.into_iter().filter(|old| !old.has_expired(now)).collect();
    for old in &mut all {
        old.expires_at = Some(old.expires_at.map_or(until, |end| end.min(until)));
    }
    let room = SECRETS_MAX.saturating_sub(others.len()).saturating_sub(1);
    // A secret that expires at once stays if there is room, so that the log can tell who still signs with it.
    while all.len() > room {
        let over = all.iter().position(|old| old.has_expired(now));
        let over = over.ok_or_else(|| format!("{SECRETS_MAX} secrets hold already: a source can have no more"))?;
        all.remove(over);
    }
    if others.len() >= SECRETS_MAX {
        return Err(format!(
            "the source has {SECRETS_MAX} secrets outside the secrets_file already, and can have no more"
        ));
    }
    if all.iter().map(|old| old.name.as_str()).chain(others.iter().copied()).any(|name| name == new.name) {
        return Err(format!("{:?} is the name of another secret", new.name));
    }
    all.push(new);
    Ok(all)
}

/// The count of a secret's notifications since the start, and the time of the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vouched {
    /// The number of notifications that the secret vouched for.
    pub times: u64,
    /// The time when it vouched last.
    pub last: Option<Timestamp>,
}

/// How often each secret vouched since the start, by source and value. Another secret of the same name starts anew.
#[derive(Debug, Default)]
pub struct Vouchers(Mutex<HashMap<(String, [u8; 32]), Vouched>>);

/// The most secrets remembered. Past that, the secret whose last use is longest ago gives way.
const REMEMBERED_MAX: usize = 10_000;

impl Vouchers {
    /// Notes that a secret of a source vouched.
    pub fn note(&self, source: &str, secret: &NamedSecret, at: Timestamp) {
        let key = key(source, secret);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX && !known.contains_key(&key) {
            let oldest = known.iter().min_by_key(|(_, vouched)| vouched.last).map(|(key, _)| key.clone());
            oldest.and_then(|key| known.remove(&key));
        }
        let vouched = known.entry(key).or_default();
        vouched.times = vouched.times.saturating_add(1);
        vouched.last = vouched.last.max(Some(at));
    }

    /// How often a secret of a source vouched, and when last.
    #[must_use]
    pub fn of(&self, source: &str, secret: &NamedSecret) -> Vouched {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&key(source, secret)).copied().unwrap_or_default()
    }
}

fn key(source: &str, secret: &NamedSecret) -> (String, [u8; 32]) {
    (source.to_owned(), Sha256::digest(secret.value.expose_secret()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn secret(value: &str, not_before: Option<i64>, expires_at: Option<i64>) -> NamedSecret {
        let value: SecretString = value.to_owned().into();
        NamedSecret {
            name: format!("n-{}", value.expose_secret()),
            value,
            key_id: None,
            not_before: not_before.map(at),
            expires_at: expires_at.map(at),
        }
    }

    #[test]
    fn a_secret_holds_from_its_first_moment_to_before_its_last() {
        let bounded = secret("s", Some(10), Some(20));
        let holds: Vec<_> = [9, 10, 19, 20].map(|second| bounded.holds(at(second))).into();
        assert_eq!(holds, [false, true, true, false]);
        assert!(!bounded.has_expired(at(9)) && bounded.has_expired(at(20)));
        assert!(secret("s", None, None).holds(Timestamp::MIN) && secret("s", None, None).holds(Timestamp::MAX));
    }

    fn names(all: &[NamedSecret]) -> Vec<(&str, Option<i64>)> {
        let end = |one: &NamedSecret| one.expires_at.map(Timestamp::as_second);
        all.iter().map(|one| (one.value.expose_secret(), end(one))).collect()
    }

    #[test]
    fn a_rotation_ends_the_old_ones_and_forgets_the_dead() {
        let known = vec![
            secret("dead", None, Some(99)),
            secret("stays", None, None),
            secret("ends sooner", None, Some(105)),
            secret("ends later", Some(50), Some(999)),
        ];
        let after = rotated(known, secret("new", None, None), at(100), at(110), &["x"]).unwrap();
        let expected = [("stays", Some(110)), ("ends sooner", Some(105)), ("ends later", Some(110)), ("new", None)];
        assert_eq!(names(&after), expected);
        let again = secret("stays", None, None);
        assert!(rotated(after, again, at(101), at(110), &[]).is_err(), "known already");
    }

    /// Otherwise the planned secret would end before it begins, or hold for the overlap only.
    #[test]
    fn a_rotation_leaves_what_is_planned_for_later() {
        let planned = |from, end| {
            rotated(
                vec![secret("old", None, None), secret("planned", Some(from), end)],
                secret("new", None, None),
                at(100),
                at(110),
                &[],
            )
        };
        for (from, end) in [(101, None), (109, Some(120)), (110, None), (500, None)] {
            let refused = planned(from, end).unwrap_err();
            assert!(refused.contains("\"n-planned\"") && refused.contains(&at(from).to_string()), "{refused}");
        }
        assert_eq!(names(&planned(100, None).unwrap()), [("old", Some(110)), ("planned", Some(110)), ("new", None)]);
        assert!(planned(50, Some(99)).is_ok(), "it has been");
    }

    #[test]
    fn no_rotation_leaves_more_than_five() {
        let four = || ["a", "b", "c", "d"].map(|value| secret(value, None, None)).to_vec();
        assert_eq!(rotated(four(), secret("new", None, None), at(100), at(110), &[]).unwrap().len(), 5);
        assert!(rotated(four(), secret("new", None, None), at(100), at(110), &["x"]).is_err());
        let at_once = rotated(four(), secret("new", None, None), at(100), at(100), &["x"]).unwrap();
        let expected = [("b", Some(100)), ("c", Some(100)), ("d", Some(100)), ("new", None)];
        assert_eq!(names(&at_once), expected, "what has expired need not stay");
        assert!(rotated(Vec::new(), secret("new", None, None), at(100), at(110), &["v", "w", "x", "y", "z"]).is_err());
    }

    #[test]
    fn a_name_that_the_relay_would_refuse_is_refused_before_it_is_written() {
        let named = |name: &str, value: &str| NamedSecret { name: name.into(), ..secret(value, None, None) };
        let known = || vec![named("a", "1"), NamedSecret { expires_at: Some(at(99)), ..named("dead", "2") }];
        let with = |name: &str| rotated(known(), named(name, "new"), at(100), at(110), &["elsewhere"]);
        for taken in ["a", "elsewhere", "", "a\nb", &"x".repeat(65)] {
            assert!(with(taken).is_err(), "{taken:?}");
        }
        for free in ["b", "dead", &"x".repeat(64)] {
            assert!(with(free).is_ok(), "{free:?}");
        }
    }

    #[test]
    fn the_one_that_is_to_stay_is_the_newer_one() {
        let (leaves, stays) = (secret("a", Some(5), Some(20)), secret("b", None, None));
        assert!(leaves.is_older_than(&stays) && !stays.is_older_than(&leaves));
        assert!(stays.is_older_than(&secret("c", Some(1), None)));
        assert!(!stays.is_older_than(&stays));
    }

    #[test]
    fn what_vouched_is_counted_by_its_value() {
        let (vouchers, one, two) = (Vouchers::default(), secret("1", None, None), secret("2", None, None));
        vouchers.note("x", &one, at(7));
        vouchers.note("x", &one, at(6));
        assert_eq!(vouchers.of("x", &one), Vouched { times: 2, last: Some(at(7)) });
        assert_eq!(vouchers.of("x", &two), Vouched::default(), "of the same name");
        assert_eq!(vouchers.of("y", &one), Vouched::default(), "at another source");
        for n in 0..REMEMBERED_MAX + 5 {
            vouchers.note("x", &secret(&format!("s{n}"), None, None), at(100));
        }
        assert_eq!(vouchers.0.lock().unwrap().len(), REMEMBERED_MAX);
        assert_eq!(vouchers.of("x", &one), Vouched::default(), "the oldest gives way");
    }
}
