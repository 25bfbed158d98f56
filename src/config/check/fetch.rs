//! `[sources.NAME.fetch]`

use std::collections::BTreeSet;
use std::sync::Arc;

use super::checker::{COUNT_MAX, Checker};
use crate::config::settings::{BasicSettings, FetchSettings};
use crate::fetch::api::{Api, Auth};
use crate::fetch::base::Base;
use crate::fetch::budget::Limits;
use crate::psp::profile::{Fetch, FetchAuth, FetchMode, Profile};
use crate::store::HintSlots;

/// The number of addresses that together fill the slots of `max_hints`, unless `max_hints_per_address` says otherwise.
const ADDRESSES: u32 = 4;

impl Checker<'_> {
    /// The API that a source fetches from; `None` if it does not fetch.
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
        let text = |own: &Option<String>, default: &String| own.as_ref().unwrap_or(default).clone();
        let defaults = &self.fetch_defaults;
        let rate = text(&settings.rate, &defaults.rate);
        let concurrency = text(&settings.concurrency, &defaults.concurrency);
        let timeout = text(&settings.timeout, &defaults.timeout);
        let not_found_for = text(&settings.not_found_for, &defaults.not_found_for);
        let give_up_after = text(&settings.give_up_after, &defaults.give_up_after);
        let not_found_for = self.span(&format!("{key}.not_found_for"), &not_found_for);
        let give_up_after = self.span(&format!("{key}.give_up_after"), &give_up_after);
        let timeout = self.positive_span(&format!("{key}.timeout"), &timeout);
        let rate = self.count(&format!("{key}.rate"), &rate, 10_000);
        let concurrency = self.number(&format!("{key}.concurrency"), &concurrency, 256);
        let slots = self.slots(key, settings);
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
            slots,
        }))
    }

    /// The numbers of hints that may wait: in all, and of one address.
    fn slots(&mut self, key: &str, settings: &FetchSettings) -> HintSlots {
        let all = settings.max_hints.as_ref().unwrap_or(&self.fetch_defaults.max_hints).clone();
        let all = self.count(&format!("{key}.max_hints"), &all, COUNT_MAX);
        let each = format!("{key}.max_hints_per_address");
        let quarter = (all / ADDRESSES).max(1);
        let of_address = settings.max_hints_per_address.as_ref();
        let of_address = of_address.map_or(quarter, |text| self.count(&each, text, COUNT_MAX));
        if of_address > all && !self.is_wrong(key) {
            self.wrong(&each, format!("{of_address}: must not be above max_hints, {all}"));
        }
        HintSlots { all, each: of_address }
    }

    fn count(&mut self, key: &str, text: &str, most: usize) -> u32 {
        u32::try_from(self.number(key, text, most)).unwrap_or(u32::MAX)
    }

    /// The credentials that the PSP's API asks for. Others are not used, and are warned of.
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
