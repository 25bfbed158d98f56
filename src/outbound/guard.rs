//! Guard of the URLs that requests go to: https, or plain http to this machine (loopback); pure.

use url::{Host, Url};

/// The one name of this machine that plain http may go to. Our clients have its addresses and ask no resolver.
pub const LOCALHOST: &str = "localhost";

/// Reads an absolute URL that a request may go to: by https, or by plain http to this machine; without credentials.
///
/// # Errors
/// The fault of the URL.
pub fn guarded(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is no absolute URL; it must be like https://host/path".to_owned())?;
    let Some(host) = url.host() else { return Err("names no host".to_owned()) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry credentials".to_owned());
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => return Err("must be https; plain http goes to this machine only".to_owned()),
        other => return Err(format!("must be https, not {other}")),
    }
    Ok(url)
}

/// Whether a host is this machine. Requests to this machine need no TLS. Names are not resolved: only [`LOCALHOST`] is this
/// machine. An IPv4 address inside an IPv6 address does not count as this machine.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == LOCALHOST,
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
