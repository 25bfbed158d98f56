//! Webhook targets: where webhooks may go. A registration may name a target, so webhooks are posted only to hosts that
//! the operator allowed (contract, section 4).

use url::{Host, Url};

use crate::domain::text::shown;
use crate::outbound::guard::guarded;

/// The hosts that webhooks may go to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    host: Host<String>,
    port: Option<u16>,
}

/// The longest accepted target, in bytes: no real URL is longer.
const TARGET_MAX: usize = 2048;

impl AllowedHosts {
    /// Reads entries of the form `host` (with any port) or `host:port`.
    ///
    /// # Errors
    /// The index of each malformed entry, and the reason.
    pub fn parse(entries: &[String]) -> Result<Self, Vec<(usize, String)>> {
        let (mut hosts, mut errors) = (Vec::new(), Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            match allowed_host(entry) {
                Ok(host) => hosts.push(host),
                Err(reason) => errors.push((index, reason)),
            }
        }
        if errors.is_empty() { Ok(Self(hosts)) } else { Err(errors) }
    }

    /// Checks a target: an absolute URL to an allowed host, by https, or by plain http to this machine.
    ///
    /// # Errors
    /// The reason why the target is refused.
    pub fn check(&self, target: &str) -> Result<Url, String> {
        if target.len() > TARGET_MAX {
            return Err(format!("is longer than {TARGET_MAX} bytes"));
        }
        let url = guarded(target)?;
        let host = url.host().map(|host| host.to_owned());
        let allowed = self.0.iter().any(|allowed| {
            Some(&allowed.host) == host.as_ref()
                && allowed.port.is_none_or(|port| Some(port) == url.port_or_known_default())
        });
        if allowed {
            return Ok(url);
        }
        Err(format!("host {} is not in transform.allowed_hosts", url.host_str().unwrap_or_default()))
    }

    /// Whether no host is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for AllowedHosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.iter().map(|allowed| match allowed.port {
            Some(port) => format!("{}:{port}", allowed.host),
            None => allowed.host.to_string(),
        });
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

fn allowed_host(entry: &str) -> Result<AllowedHost, String> {
    // A pasted URL may carry a password or a token, before an @ or behind the host. A text behind a colon may be one, too.
    if entry.contains(|c: char| "@?#/\\".contains(c) || c.is_control()) {
        return Err("is a URL or a part of one, so it is not repeated here; it must be host or host:port".to_owned());
    }
    if entry.contains('*') {
        return Err(format!("{}: wildcards are not supported; name each host", shown(entry)));
    }
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    if !entry.starts_with('[') && entry.split_once(':').is_some_and(|(_, port)| !is_port(port)) {
        return Err("has a port that is no number, so it is not repeated here; it must be host or host:port".to_owned());
    }
    let wrong = || format!("{} is neither host nor host:port", shown(entry));
    let url = Url::parse(&format!("https://{entry}/")).map_err(|_| wrong())?;
    let host = url.host().ok_or_else(wrong)?.to_owned();
    // The parser drops the scheme's default port; a port that is written counts as one.
    let port = url.port().or_else(|| entry.ends_with(":443").then_some(443));
    Ok(AllowedHost { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str]) -> AllowedHosts {
        let entries: Vec<_> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        AllowedHosts::parse(&entries).unwrap()
    }

    #[test]
    fn only_allowed_hosts_pass() {
        let hosts = allowed(&["app.billwerk.com", "sandbox.billwerk.com:8443", "127.0.0.1", "[::1]:9000"]);
        for good in [
            "https://app.billwerk.com/PSPWebhooks/ExternalIntegration",
            "https://APP.billwerk.com:444/",
            "https://sandbox.billwerk.com:8443/x",
            "http://127.0.0.1:1234/x",
            "http://[::1]:9000/",
        ] {
            assert!(hosts.check(good).is_ok(), "{good}: {:?}", hosts.check(good));
        }
        for bad in [
            "http://app.billwerk.com/",
            "https://evil.example/",
            "https://app.billwerk.com.evil.example/",
            "https://app.billwerk.com@evil.example/",
            "https://u:p@app.billwerk.com/",
            "https://sandbox.billwerk.com/",
            "http://[::1]/",
            "ftp://app.billwerk.com/",
            "/relative",
            "",
        ] {
            assert!(hosts.check(bad).is_err(), "{bad}");
        }
    }

    /// The URL alone decides what is this machine, in any spelling; a resolver never does.
    #[test]
    fn plain_http_goes_to_this_machine_only() {
        let names = ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"];
        let others = ["localhost.", "foo.localhost", "localhost.evil.example", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"];
        let elsewhere = ["169.254.169.254", "0.0.0.0", "[::]", "[fe80::1]", "128.0.0.1", "[::ffff:169.254.169.254]"];
        let hosts = allowed(&[&names[..], &others, &elsewhere].concat());
        let written = [
            "LOCALHOST",
            "localhost:81",
            "127.1.2.0x3",
            "0x7f.1",
            "127.1",
            "2130706433",
            "0177.0.0.1",
            "[0:0:0:0:0:0:0:1]",
        ];
        for host in names.iter().chain(&written) {
            assert!(
                hosts.check(&format!("http://{host}/")).is_ok(),
                "{host}: {:?}",
                hosts.check(&format!("http://{host}/"))
            );
        }
        for host in others.iter().chain(&elsewhere) {
            assert!(hosts.check(&format!("http://{host}/")).is_err(), "{host}");
            assert!(hosts.check(&format!("https://{host}/")).is_ok(), "{host}: TLS guarantees the name");
        }
    }

    #[test]
    fn entries_are_hosts() {
        for bad in ["https://app.billwerk.com", "a/b", "", "host:port", "a b", "*.billwerk.com"] {
            assert!(AllowedHosts::parse(&[bad.to_owned()]).is_err(), "{bad}");
        }
        for secret in [
            "user:sesame@app.billwerk.com",
            ":sesame@app.billwerk.com",
            "sesame@app.billwerk.com",
            "https://app.billwerk.com/?token=sesame",
            "app.billwerk.com?sesame",
            "app.billwerk.com#sesame",
            "app.billwerk.com/sesame",
            "app.billwerk.com\\sesame",
            "app.billwerk.com:sesame",
            "app.billwerk.com\nsesame",
            "*.billwerk.com/sesame",
        ] {
            let error = AllowedHosts::parse(&[secret.to_owned()]).unwrap_err();
            assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
        }
    }
}
