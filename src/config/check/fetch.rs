//! `[sources.NAME.fetch]`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::checker::{COUNT_MAX, Checker, but};
use crate::config::settings::{BasicSettings, FetchSettings, SourceFetchSettings};
use crate::config::written::{Address, Count};
use crate::domain::text::shown;
use crate::fetch::api::{Api, Auth};
use crate::fetch::base::Base;
use crate::fetch::budget::Limits;
use crate::psp::profile::{Fetch, FetchAuth, FetchMode, Profile};
use crate::store::HintSlots;

/// The number of addresses that together fill the slots of `max_hints`, unless `max_hints_per_address` says otherwise.
const ADDRESSES: u32 = 4;
/// The most fetches of a source in a second, and at once.
const RATE_MAX: usize = 10_000;
const CONCURRENCY_MAX: usize = 256;
const MODES: [(&str, FetchMode); 3] =
    [("always", FetchMode::Always), ("unverified", FetchMode::Unverified), ("never", FetchMode::Never)];

/// What `[fetch]` says for every source: as it is written, and checked.
#[derive(Clone, Copy)]
pub(super) struct Fetching<'a> {
    pub(super) settings: &'a FetchSettings,
    pub(super) options: FetchOptions,
}

/// How often and how long a source fetches.
#[derive(Clone, Copy)]
pub(super) struct FetchOptions {
    limits: Limits,
    timeout: Duration,
    not_found_for: Duration,
    give_up_after: Duration,
    max_hints: u32,
}

impl Checker<'_> {
    /// `[fetch]`
    pub(super) fn fetch_options(&mut self, settings: &FetchSettings) -> FetchOptions {
        let rate = self.count("fetch.rate", &settings.rate, RATE_MAX);
        let concurrency = self.number("fetch.concurrency", &settings.concurrency, CONCURRENCY_MAX);
        FetchOptions {
            limits: Limits { rate, concurrency },
            timeout: self.positive_span("fetch.timeout", &settings.timeout),
            not_found_for: self.span("fetch.not_found_for", &settings.not_found_for),
            give_up_after: self.span("fetch.give_up_after", &settings.give_up_after),
            max_hints: self.count("fetch.max_hints", &settings.max_hints, COUNT_MAX),
        }
    }

    /// The options of a source: its own settings, and `[fetch]` where it has none.
    fn own_options(&mut self, key: &str, own: &SourceFetchSettings, all: FetchOptions) -> FetchOptions {
        let at = |name: &str| format!("{key}.{name}");
        let rate = own.rate.as_ref().map_or(all.limits.rate, |own| self.count(&at("rate"), own, RATE_MAX));
        let concurrency = own.concurrency.as_ref();
        let concurrency =
            concurrency.map_or(all.limits.concurrency, |own| self.number(&at("concurrency"), own, CONCURRENCY_MAX));
        let (timeout, not_found_for, give_up_after) = (&own.timeout, &own.not_found_for, &own.give_up_after);
        let max_hints = own.max_hints.as_ref();
        FetchOptions {
            limits: Limits { rate, concurrency },
            timeout: timeout.as_ref().map_or(all.timeout, |own| self.positive_span(&at("timeout"), own)),
            not_found_for: not_found_for.as_ref().map_or(all.not_found_for, |own| self.span(&at("not_found_for"), own)),
            give_up_after: give_up_after.as_ref().map_or(all.give_up_after, |own| self.span(&at("give_up_after"), own)),
            max_hints: max_hints.map_or(all.max_hints, |own| self.count(&at("max_hints"), own, COUNT_MAX)),
        }
    }

    /// The API that a source fetches from; `None` if it does not fetch. All that its settings leave open is filled in.
    pub(super) fn fetch(
        &mut self,
        key: &str,
        settings: &mut Option<SourceFetchSettings>,
        profile: &Arc<Profile>,
        events: Option<&BTreeSet<String>>,
        all: Fetching<'_>,
    ) -> Option<Arc<Api>> {
        let fetches: Vec<&Fetch> = profile.forms.iter().filter_map(|form| form.fetch.as_ref()).collect();
        let Some(fetch) = fetches.first() else {
            if settings.is_some() {
                self.wrong(key, format!("must be left out: the profile {} fetches nothing", profile.name));
            }
            return None;
        };
        let usual = match fetch.mode {
            FetchMode::Configured if settings.is_some() => FetchMode::Always,
            FetchMode::Configured => FetchMode::Never,
            mode => mode,
        };
        let settings = settings.get_or_insert_default();
        let mode = settings.mode.as_deref().map_or(Ok(usual), mode);
        let mode = mode.map_err(|reason| self.wrong(&format!("{key}.mode"), reason)).ok()?;
        settings.mode = MODES.iter().find(|(_, known)| *known == mode).map(|(name, _)| (*name).to_owned());
        // What is written is checked even if it is not used: it is printed, and is used once the mode changes.
        let options = self.own_options(key, settings, all.options);
        let slots = self.slots(key, settings.max_hints_per_address.as_ref(), options.max_hints);
        if mode == FetchMode::Never {
            self.unused(key, settings, fetch.auth);
            return None;
        }
        let base =
            self.base(&format!("{key}.base_url"), settings.base_url.get_or_insert_with(|| fetch.base.clone().into()));
        let auth = self.auth(key, settings, fetch.auth);
        settings.fill(all.settings);
        settings.max_hints_per_address = Some(slots.each.into());
        Some(Arc::new(Api {
            mode,
            profile: Arc::clone(profile),
            events: events.cloned(),
            base: base?,
            auth: auth?,
            headers: fetches.iter().flat_map(|fetch| fetch.headers.clone()).collect(),
            limits: options.limits,
            timeout: options.timeout,
            not_found_for: options.not_found_for,
            give_up_after: options.give_up_after,
            slots,
        }))
    }

    /// Checks what a source that never fetches says of the API. Nothing is needed.
    fn unused(&mut self, key: &str, settings: &SourceFetchSettings, auth: FetchAuth) {
        if let Some(url) = &settings.base_url {
            self.base(&format!("{key}.base_url"), url);
        }
        self.not_asked(key, settings, auth);
        if let Some(name) = &settings.username {
            self.user_name(key, Some(name));
        }
        for (name, secret) in [("password", &settings.password), ("token", &settings.token)] {
            if let Some(secret) = secret {
                self.secret(&format!("{key}.{name}"), secret);
            }
        }
    }

    fn base(&mut self, key: &str, url: &Address) -> Option<Base> {
        let text = self.url(key, url)?;
        Base::parse(text).map_err(|reason| self.wrong(key, but(url, reason))).ok()
    }

    /// The numbers of hints that may wait: in all, and of one address.
    fn slots(&mut self, key: &str, of_address: Option<&Count>, all: u32) -> HintSlots {
        let at = format!("{key}.max_hints_per_address");
        let quarter = (all / ADDRESSES).max(1);
        let each = of_address.map_or(quarter, |number| self.count(&at, number, COUNT_MAX));
        let of_source = format!("{key}.max_hints");
        if each > all && ![&at, &of_source, "fetch.max_hints"].iter().any(|key| self.is_wrong(key)) {
            self.wrong(&at, but(each, format!("must not be above max_hints, {all}")));
        }
        HintSlots { all, each }
    }

    /// Warns of credentials that the PSP's API does not ask for.
    fn not_asked(&mut self, key: &str, settings: &SourceFetchSettings, auth: FetchAuth) {
        let basic = settings.username.is_some() || settings.password.is_some();
        if auth == FetchAuth::Basic && settings.token.is_some() {
            self.warnings.push(format!("{key}.token: not used: the PSP's API takes a username and a password"));
        }
        if auth != FetchAuth::Basic && basic {
            self.warnings.push(format!("{key}.username and password: not used: the PSP's API takes a token"));
        }
    }

    /// The credentials that the PSP's API asks for. Others are not used, and are warned of.
    fn auth(&mut self, key: &str, settings: &SourceFetchSettings, auth: FetchAuth) -> Option<Auth> {
        self.not_asked(key, settings, auth);
        if auth == FetchAuth::Basic {
            let basic = BasicSettings { username: settings.username.clone(), password: settings.password.clone() };
            return self.basic(key, &basic).map(Auth::Basic);
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
    let known = MODES.iter().find(|(name, _)| *name == text).map(|(_, mode)| *mode);
    known.ok_or_else(|| but(shown(text), "must be \"always\", \"unverified\" or \"never\""))
}
