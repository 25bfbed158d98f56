//! `[transform]`, but for its credentials

use super::checker::{COUNT_MAX, Checker, but};
use crate::config::settings::{BreakerSettings, TransformSettings};
use crate::config::written::Address;
use crate::delivery::breaker::BreakerPolicy;
use crate::delivery::worker::DeliveryOptions;
use crate::domain::text::shown;
use crate::outbound::retry::RetryPolicy;
use crate::transform::response::FailedAs;
use crate::transform::target::AllowedHosts;

impl Checker<'_> {
    pub(super) fn delivery(&mut self, settings: &TransformSettings) -> DeliveryOptions {
        let allowed_hosts = AllowedHosts::parse(&settings.allowed_hosts).unwrap_or_else(|wrong| {
            for (index, reason) in wrong {
                self.wrong(&format!("transform.allowed_hosts[{index}]"), reason);
            }
            AllowedHosts::default()
        });
        let webhook_target = settings.webhook_target.as_ref();
        let webhook_target = webhook_target.and_then(|target| self.webhook_target(target, &allowed_hosts));
        let retry = RetryPolicy {
            first: self.positive_span("transform.retry.first", &settings.retry.first),
            max: self.positive_span("transform.retry.max", &settings.retry.max),
            give_up_after: self.span("transform.retry.give_up_after", &settings.retry.give_up_after),
        };
        if retry.max < retry.first
            && !["transform.retry.first", "transform.retry.max"].iter().any(|key| self.is_wrong(key))
        {
            let must = format!("must not be below transform.retry.first, {}", shown(&settings.retry.first));
            self.wrong("transform.retry.max", but(shown(&settings.retry.max), must));
        }
        DeliveryOptions {
            allowed_hosts,
            webhook_target,
            timeout: self.positive_span("transform.timeout", &settings.timeout),
            concurrency: self.number("transform.concurrency", &settings.concurrency, 1024),
            retry,
            breaker: self.breaker(&settings.breaker),
        }
    }

    fn webhook_target(&mut self, target: &Address, allowed_hosts: &AllowedHosts) -> Option<String> {
        let key = "transform.webhook_target";
        let text = self.url(key, target)?;
        allowed_hosts.check(text).map_err(|reason| self.wrong(key, but(target, reason))).ok()?;
        Some(text.to_owned())
    }

    fn breaker(&mut self, settings: &BreakerSettings) -> BreakerPolicy {
        let failures = self.count("transform.breaker.failures", &settings.failures, COUNT_MAX);
        let first = self.positive_span("transform.breaker.first", &settings.first);
        let max = self.positive_span("transform.breaker.max", &settings.max);
        if max < first && !["transform.breaker.first", "transform.breaker.max"].iter().any(|key| self.is_wrong(key)) {
            let must = format!("must not be below transform.breaker.first, {}", shown(&settings.first));
            self.wrong("transform.breaker.max", but(shown(&settings.max), must));
        }
        BreakerPolicy { failures, first, max }
    }
}

pub(super) fn failed_as(text: &str) -> Result<FailedAs, String> {
    match text {
        "error" => Ok(FailedAs::Error),
        "record" => Ok(FailedAs::Record),
        _ => Err(but(shown(text), "must be \"error\" or \"record\"")),
    }
}
