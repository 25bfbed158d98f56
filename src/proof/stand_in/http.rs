//! HTTP/1.1 by hand: requests and responses are read byte by byte, since a stand-in must also be able to misbehave.

use std::io::{BufRead, Read};

use serde_json::Value;

/// The longest line of a head. It only ends hopeless reads.
const LINE_MAX: u64 = 1024 * 1024;
/// The largest body that is read, in bytes. It only ends hopeless reads.
const BODY_MAX: u64 = 256 * 1024 * 1024;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, as it was written.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers in their order, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, by its `Content-Length`.
    pub body: Vec<u8>,
}

/// A response as it came.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers in their order, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, by its `Content-Length`. Bytes that are no UTF-8 are replaced.
    pub body: String,
}

impl Request {
    /// The next request of a connection. `None` if no further one comes, or something that is no request.
    pub fn read(reader: &mut impl BufRead) -> Option<Self> {
        let (first, headers) = head(reader)?;
        let mut words = first.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let body = body(reader, &headers)?;
        Some(Self { method, path, headers, body })
    }

    /// A header's value by its name in lower case. Empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        value(&self.headers, name)
    }
}

impl Response {
    /// The next response of a connection. `None` if the connection ends before it is whole.
    pub fn read(reader: &mut impl BufRead) -> Option<Self> {
        let (first, headers) = head(reader)?;
        let status = first.split_whitespace().nth(1)?.parse().ok()?;
        let body = String::from_utf8_lossy(&body(reader, &headers)?).into_owned();
        Some(Self { status, headers, body })
    }

    /// A header's value by its name in lower case. Empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        value(&self.headers, name)
    }

    /// The body as JSON. `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A header's value by its name in lower case. Empty if there is none.
pub(super) fn value<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// The first line and the headers.
fn head(reader: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let first = line(reader)?;
    let mut headers = Vec::new();
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Some((first, headers)) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.take(LINE_MAX).read_line(&mut line).ok().filter(|read| *read > 0)?;
    Some(line)
}

fn body(reader: &mut impl BufRead, headers: &[(String, String)]) -> Option<Vec<u8>> {
    let length = match value(headers, "content-length") {
        "" => 0,
        text => text.parse::<u64>().ok().filter(|length| *length <= BODY_MAX)?,
    };
    let mut body = Vec::new();
    let read = reader.take(length).read_to_end(&mut body).ok()?;
    (u64::try_from(read).ok()? == length).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_follow_each_other_on_a_connection() {
        let mut bytes = &b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\n\r\nGET"[..];
        let one = Request::read(&mut bytes).unwrap();
        assert_eq!((one.method.as_str(), one.path.as_str(), one.header("host")), ("POST", "/a?b", "x"));
        assert_eq!(one.body, b"hi");
        let two = Request::read(&mut bytes).unwrap();
        assert_eq!((two.method.as_str(), two.header("host"), two.body.len()), ("GET", "", 0));
        assert!(Request::read(&mut bytes).is_none(), "half a request");
    }

    #[test]
    fn a_response_is_read_to_its_length() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 7\r\n\r\n{\"a\":1}rest";
        let read = Response::read(&mut &whole[..]).unwrap();
        assert_eq!(
            (read.status, read.header("content-type"), read.json()["a"].as_i64()),
            (200, "application/json", Some(1))
        );
        assert!(Response::read(&mut &whole[..75]).is_none(), "half a body");
    }
}
