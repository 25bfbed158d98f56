//! `[transform]`, but for its credentials

use super::checker::{COUNT_MAX, Checker};
use crate::config::settings::{BreakerSettings, TransformSettings};
use crate::delivery::breaker::BreakerPolicy;
use crate::delivery::worker::DeliveryOptions;
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
        if let Some(Err(reason)) = settings.webhook_target.as_ref().map(|target| allowed_hosts.check(target)) {
            self.wrong("transform.webhook_target", reason);
        }
        let retry = RetryPolicy {
            first: self.positive_span("transform.retry.first", &settings.retry.first),
            max: self.positive_span("transform.retry.max", &settings.retry.max),
            give_up_after: self.span("transform.retry.give_up_after", &settings.retry.give_up_after),
        };
        if retry.max < retry.first && !self.is_wrong("transform.retry.") {
            self.wrong("transform.retry.max", "must not be below transform.retry.first");
        }
        DeliveryOptions {
            allowed_hosts,
            webhook_target: settings.webhook_target.clone(),
            timeout: self.positive_span("transform.timeout", &settings.timeout),
            concurrency: self.number("transform.concurrency", &settings.concurrency, 1024),
            retry,
            breaker: self.breaker(&settings.breaker),
        }
    }

    fn breaker(&mut self, settings: &BreakerSettings) -> BreakerPolicy {
        let failures = self.number("transform.breaker.failures", &settings.failures, COUNT_MAX);
        let first = self.positive_span("transform.breaker.first", &settings.first);
        let max = self.positive_span("transform.breaker.max", &settings.max);
        if max < first && !self.is_wrong("transform.breaker.") {
            self.wrong("transform.breaker.max", "must not be below transform.breaker.first");
        }
        BreakerPolicy { failures: u32::try_from(failures).unwrap_or(u32::MAX), first, max }
    }
}

pub(super) fn failed_as(text: &str) -> Result<FailedAs, String> {
    match text {
        "error" => Ok(FailedAs::Error),
        "record" => Ok(FailedAs::Record),
        _ => Err("must be \"error\" or \"record\"".to_owned()),
    }
}
