//! `[sources.NAME.fetch]`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{COUNT_MAX, Checker};
use crate::config::settings::{BasicSettings, FetchSettings};
use crate::fetch::api::{Api, Auth};
use crate::fetch::base::Base;
use crate::fetch::budget::Limits;
use crate::psp::profile::{Fetch, FetchAuth, FetchMode, Profile};
use crate::store::HintSlots;

/// What holds where a source says nothing else.
const RATE: u32 = 10;
const CONCURRENCY: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(10);
const NOT_FOUND_FOR: Duration = Duration::from_secs(10 * 60);
const GIVE_UP_AFTER: Duration = Duration::from_secs(72 * 3600);
const MAX_HINTS: u32 = 1000;
/// So many addresses fill the slots of `max_hints`, unless `max_hints_per_address` says otherwise.
const ADDRESSES: u32 = 4;

impl Checker<'_> {
    /// How a source fetches; none if it does not.
    pub(super) fn fetch(
        &mut self,
        key: &str,
        settings: Option<&FetchSettings>,
        profile: &Arc<Profile>,
        events: Option<&BTreeSet<String>>,
    ) -> Option<Arc<Api>> {
        let none = FetchSettings::default();
        let fetches: Vec<&Fetch> = profile.forms.iter().filter_map(|form| form.fetch.as_ref()).collect();
        let Some(fetch) = fetches.first() else {
            if settings.is_some() {
                self.wrong(key, format!("profile {} fetches nothing", profile.name));
            }
            return None;
        };
        let settings = settings.unwrap_or(&none);
        let mode = settings.mode.as_deref().map_or(Ok(fetch.mode), mode);
        let mode = mode.map_err(|reason| self.wrong(&format!("{key}.mode"), reason)).ok()?;
        if mode == FetchMode::Never {
            return None;
        }
        let base = Base::parse(settings.base_url.as_deref().unwrap_or(&fetch.base));
        let base = base.map_err(|reason| self.wrong(&format!("{key}.base_url"), reason));
        let auth = self.auth(key, settings, fetch.auth);
        let mut span = |name: &str, text: &Option<String>, default: Duration| {
            text.as_ref().map_or(default, |text| self.span(&format!("{key}.{name}"), text))
        };
        let not_found_for = span("not_found_for", &settings.not_found_for, NOT_FOUND_FOR);
        let give_up_after = span("give_up_after", &settings.give_up_after, GIVE_UP_AFTER);
        let timeout = settings.timeout.as_ref();
        let timeout = timeout.map_or(TIMEOUT, |text| self.positive_span(&format!("{key}.timeout"), text));
        let rate = self.count(&format!("{key}.rate"), settings.rate.as_ref(), RATE, 10_000);
        let concurrency = settings.concurrency.as_ref();
        let concurrency = concurrency.map_or(CONCURRENCY, |text| self.number(&format!("{key}.concurrency"), text, 256));
        let all = self.count(&format!("{key}.max_hints"), settings.max_hints.as_ref(), MAX_HINTS, COUNT_MAX);
        let each = settings.max_hints_per_address.as_ref();
        let each = self.count(&format!("{key}.max_hints_per_address"), each, (all / ADDRESSES).max(1), COUNT_MAX);
        if each > all && !self.is_wrong(key) {
            self.wrong(&format!("{key}.max_hints_per_address"), format!("{each}: must not be above max_hints, {all}"));
        }
        Some(Arc::new(Api {
            mode,
            profile: Arc::clone(profile),
            events: events.cloned(),
            base: base.ok()?,
            auth: auth?,
            headers: fetches.iter().flat_map(|fetch| fetch.headers.clone()).collect(),
            limits: Limits { rate, concurrency },
            timeout,
            not_found_for,
            give_up_after,
            slots: HintSlots { all, each },
        }))
    }

    fn count(&mut self, key: &str, text: Option<&String>, default: u32, most: usize) -> u32 {
        text.map_or(default, |text| u32::try_from(self.number(key, text, most)).unwrap_or(u32::MAX))
    }

    /// What the profile's API asks for. What is configured beside that is not used.
    fn auth(&mut self, key: &str, settings: &FetchSettings, auth: FetchAuth) -> Option<Auth> {
        let basic = settings.username.is_some() || settings.password.is_some();
        if auth == FetchAuth::Basic {
            if settings.token.is_some() {
                self.warnings.push(format!("{key}.token: not used: the PSP's API takes a username and a password"));
            }
            let basic = BasicSettings { username: settings.username.clone(), password: settings.password.clone() };
            return self.basic(key, &basic).map(Auth::Basic);
        }
        if basic {
            self.warnings.push(format!("{key}.username and password: not used: the PSP's API takes a token"));
        }
        let Some(token) = &settings.token else {
            self.wrong(&format!("{key}.token"), "is needed to fetch from the PSP's API, or mode = \"never\"");
            return None;
        };
        let token = self.secret(&format!("{key}.token"), token)?;
        Some(match auth {
            FetchAuth::Bearer => Auth::Bearer(token),
            FetchAuth::BasicUser => Auth::BasicUser(token),
            FetchAuth::Plain | FetchAuth::Basic => Auth::Plain(token),
        })
    }
}

fn mode(text: &str) -> Result<FetchMode, String> {
    match text {
        "always" => Ok(FetchMode::Always),
        "unverified" => Ok(FetchMode::Unverified),
        "never" => Ok(FetchMode::Never),
        _ => Err("must be \"always\", \"unverified\" or \"never\"".to_owned()),
    }
}
