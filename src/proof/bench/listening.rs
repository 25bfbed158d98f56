//! The line by which a contender says where it listens.

use std::io::Write;
use std::net::SocketAddr;

/// Says at which address this process listens, in the relay's words.
pub(super) fn says(address: SocketAddr) {
    drop(writeln!(std::io::stderr(), "listening address={address}"));
}
