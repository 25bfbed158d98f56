//! The reading of a record from the relay, as Transform does after a webhook.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::http::Response;
use super::webhook::Key;

/// The longest wait for a part of the relay's answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The path at which Transform reads a record: by its kind, or by its type code.
#[must_use]
pub fn path((code, id): &Key, by_type: bool) -> String {
    let kind = ["Preauth", "Payment", "Refund", "Agreement"].get(usize::from(*code).saturating_sub(1));
    match kind {
        Some(kind) if !by_type => format!("/api/{kind}/{id}"),
        _ => format!("/api/transactions/{id}?type={code}"),
    }
}

/// Gets a path from a relay, on a connection of its own. This blocks its thread.
///
/// # Errors
/// The relay is not there, or it breaks off.
pub fn get(relay: SocketAddr, token: &str, path: &str) -> io::Result<Response> {
    let mut stream = TcpStream::connect(relay)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    Response::read(&mut BufReader::new(stream)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
