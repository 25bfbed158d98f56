//! A resolver that lies about this machine's own name.

use std::path::Path;
use std::process::Command;

use super::support::api::Api;
use super::support::integrator::with;
use super::support::pointing::{SOURCE, has_paid, setup};
use super::support::{Setup, payment, start};

/// The relay runs with another /etc/hosts, in a namespace of its own.
const LYING: &str = r#"exec unshare -rm sh -c 'mount --bind "$HOSTS_FILE" /etc/hosts && exec "$0" "$@"' "$0" "$@""#;

/// Whether this machine lets a test have a namespace of its own.
fn can_lie(hosts: &Path) -> bool {
    let look = r#"mount --bind "$0" /etc/hosts && grep -q 127.0.0.2 /etc/hosts"#;
    let lied = Command::new("unshare").args(["-rm", "sh", "-c", look]).arg(hosts).output();
    lied.is_ok_and(|ended| ended.status.success())
}

/// Nobody listens where `localhost` is said to be: who asks the resolver reaches neither the API nor Transform.
#[tokio::test]
async fn plain_http_goes_to_this_machine_whatever_a_resolver_says() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.2 localhost\n").unwrap();
    if !can_lie(&hosts) {
        eprintln!("SKIPPED: this machine gives a test no /etc/hosts of its own (unshare -rm)");
        return;
    }
    let api = Api::start();
    let mut setup = setup(&api, "");
    setup.more = setup.more.replace("http://127.0.0.1:", "http://localhost:");
    let environment =
        [("HOSTS_FILE", hosts.to_str().unwrap()), ("RELAY_TRANSFORM__ALLOWED_HOSTS", "localhost,127.0.0.1")];
    setup.environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let (transform, relay) = start(Setup { before: LYING, ..setup }).await;
    let target = format!("http://localhost:{}/x", transform.address.port());
    relay.register("payment", "tx-1", &with(payment("tr_1", "10"), "webhookTarget", target)).await;
    has_paid(&api, "tr_1", "10.00");
    relay.point(SOURCE, "tr_1", 1).await.expect(200);
    api.nth(1).await;
    transform.told("payment", "tx-1", 1).await;
}
