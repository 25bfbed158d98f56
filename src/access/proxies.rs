//! The address of a client behind proxies, read from X-Forwarded-For or Forwarded.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The trusted proxies, which may name the client that they call for.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// The networks of the trusted proxies.
    pub trusted: Vec<IpNet>,
    /// The header that names the client. Only one is read: a proxy that sets one of the headers passes on the other as
    /// the client wrote it.
    pub header: ForwardedBy,
}

/// The header in which a proxy names its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedBy {
    /// `X-Forwarded-For: client, proxy`
    #[default]
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239)
    Forwarded,
}

impl ForwardedBy {
    /// The header's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    /// The elements of one header line, from the right. They are bytes: a client may write bytes that are not text, and
    /// these must not hide the element that a proxy added.
    fn elements(self, line: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::XForwardedFor => line.rsplit(|byte| *byte == b',').collect(),
            Self::Forwarded => unquoted_rsplit(line, b','),
        }
    }
}

/// Splits at separators outside of quotes, from the right. A proxy may quote the host that the client asked for, and that
/// host may be any text. Quotes are paired from the right, too. A trusted proxy's part on the right is whole, but the
/// client's part on the left may open a quote and never close it.
pub(crate) fn unquoted_rsplit(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let escaped = |before: &[u8]| before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let (mut parts, mut rest, mut quoted) = (Vec::new(), text, false);
    for (at, found) in text.iter().enumerate().rev() {
        let (before, from) = text.split_at(at);
        if *found == b'"' && !escaped(before) {
            quoted = !quoted;
        } else if *found == separator && !quoted {
            let part = rest.get(at..).unwrap_or(from);
            parts.push(part.strip_prefix(&[separator]).unwrap_or(part));
            rest = before;
        }
    }
    parts.push(rest);
    parts
}

/// The value of one pair of an element, if the pair is `for=`.
pub(crate) fn node(pair: &[u8]) -> Option<&[u8]> {
    let at = pair.iter().position(|byte| *byte == b'=')?;
    let (name, value) = pair.split_at(at);
    name.trim_ascii().eq_ignore_ascii_case(b"for").then(|| value.get(1..).unwrap_or_default())
}

impl Proxies {
    /// Whether an address is that of a trusted proxy.
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The address of the client: from the peer on backwards, the first address that is not a trusted proxy's. Where a proxy
    /// names a client without an address, no earlier address can be known. The request then counts for the proxy itself.
    pub(crate) fn client(&self, peer: IpAddr, hops: &[&[u8]]) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in hops.iter().rev().flat_map(|line| self.header.elements(line)) {
            if !self.trust(client) {
                break;
            }
            let Some(before) = self.address(hop) else { break };
            client = before;
        }
        client
    }

    fn address(&self, hop: &[u8]) -> Option<IpAddr> {
        let node = match self.header {
            ForwardedBy::XForwardedFor => hop,
            ForwardedBy::Forwarded => {
                let mut named = unquoted_rsplit(hop, b';').into_iter().filter_map(node);
                let (Some(node), None) = (named.next(), named.next()) else { return None };
                node
            }
        };
        let node = std::str::from_utf8(node).ok()?.trim();
        let node = if self.header == ForwardedBy::Forwarded { node.trim_matches('"') } else { node };
        let bare = || node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node).parse();
        let with_port = || node.parse::<SocketAddr>().map(|address| address.ip());
        bare().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], header: ForwardedBy, peer: &str, hops: &[&str]) -> String {
        let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let hops: Vec<_> = hops.iter().map(|line| line.as_bytes()).collect();
        Proxies { trusted, header }.client(peer.parse().unwrap(), &hops).to_string()
    }

    /// A client's own text in the header cannot change the element that its proxy adds.
    #[test]
    fn bytes_that_are_no_text_hide_nobody_but_the_element_that_they_stand_in() {
        let (plain, by_rfc) = (ForwardedBy::XForwardedFor, ForwardedBy::Forwarded);
        for (header, line, expected) in [
            (plain, &b"\xff, 203.0.113.7"[..], "203.0.113.7"),
            (plain, b"1.1.1.1\x80,203.0.113.7", "203.0.113.7"),
            (plain, b"\xc3\xa9,1.1.1.1\xff , 203.0.113.7,10.0.0.2", "203.0.113.7"),
            (plain, b"203.0.113.7, \xff", "10.0.0.1"),
            (plain, b"1.1.1.1, 203.0.113.7\xff, 10.0.0.2", "10.0.0.2"),
            (by_rfc, b"for=\xff, for=203.0.113.7", "203.0.113.7"),
            (by_rfc, b"for=1.1.1.1;host=\"\xff, for=203.0.113.7", "203.0.113.7"),
            (by_rfc, b"for=203.0.113.7;host=\"\xff\"", "203.0.113.7"),
            (by_rfc, b"\xff=x;for=203.0.113.7;\xfe", "203.0.113.7"),
            (by_rfc, b"for=203.0.113.7\xff", "10.0.0.1"),
        ] {
            let proxies = Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], header };
            let client = proxies.client("10.0.0.1".parse().unwrap(), &[line]);
            assert_eq!(client.to_string(), expected, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_trusted_proxy_says_for_whom_it_calls_and_nobody_else_does() {
        let by = ForwardedBy::XForwardedFor;
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        for (peer, hops, expected) in [
            ("192.0.2.1", vec!["203.0.113.7"], "192.0.2.1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.7"], "203.0.113.7"),
            ("::ffff:10.0.0.1", vec!["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["1.1.1.1", "203.0.113.7, 10.9.9.9"], "203.0.113.7"),
            ("10.0.0.1", vec!["203.0.113.7:4711"], "203.0.113.7"),
            ("fd00::1", vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            ("fd00::1", vec!["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", vec!["203.0.113.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.7,"], "10.0.0.1"),
        ] {
            assert_eq!(client(&trusted, by, peer, &hops), expected, "{peer} {hops:?}");
        }
        assert_eq!(client(&[], by, "10.0.0.1", &["203.0.113.7"]), "10.0.0.1", "nobody is trusted by default");
    }

    #[test]
    fn the_header_of_rfc_7239_is_read_where_it_is_configured() {
        let by = ForwardedBy::Forwarded;
        for (hops, expected) in [
            (vec!["for=203.0.113.7"], "203.0.113.7"),
            (vec!["for=1.1.1.1, For=\"203.0.113.7:80\";proto=https;by=10.0.0.1"], "203.0.113.7"),
            (vec!["proto=https; for=\"[2001:db8::1]\""], "2001:db8::1"),
            (vec!["for=\"[2001:db8::1]:4711\""], "2001:db8::1"),
            (vec!["for=203.0.113.7, for=_hidden"], "10.0.0.1"),
            (vec!["proto=https"], "10.0.0.1"),
            (vec!["203.0.113.7"], "10.0.0.1"),
            // A proxy that names the requested host repeats the client's text.
            (vec![r#"for=203.0.113.7;host="a,for=1.1.1.1""#], "203.0.113.7"),
            (vec![r#"host="a;for=1.1.1.1";for=203.0.113.7"#], "203.0.113.7"),
            (vec![r#"host="a\",for=1.1.1.1;x=\"";for=203.0.113.7"#], "203.0.113.7"),
            (vec![r#"for=203.0.113.7;host="a\\""#], "203.0.113.7"),
            // A quote that the client left open does not reach into the proxy's element.
            (vec![r#"for=1.1.1.1;x=", for=203.0.113.7;host="h""#], "203.0.113.7"),
            (vec![r#"for=1.1.1.1;x=""#, "for=203.0.113.7"], "203.0.113.7"),
            (vec!["for=1.1.1.1;for=203.0.113.7"], "10.0.0.1"),
        ] {
            assert_eq!(client(&["10.0.0.0/8"], by, "10.0.0.1", &hops), expected, "{hops:?}");
        }
    }
}
