//! The loopback addresses of `localhost`. No resolver is asked for them, so no resolver can lead plain http elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use crate::transform::target::LOCALHOST;

/// The addresses of [`LOCALHOST`] for every client of ours. The port comes from the URL.
pub const LOCALHOST_IS: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_this_machine_leads_to_this_machine() {
        assert_eq!(LOCALHOST_IS.map(|address| address.to_string()), ["127.0.0.1:0", "[::1]:0"]);
    }
}
