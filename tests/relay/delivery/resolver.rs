//! A resolver that lies about this machine's own name.

use std::path::Path;

use crate::support::api::Api;
use crate::support::integrator::with;
use crate::support::mounts::mounted;
use crate::support::pointing::{SOURCE, has_paid, setup};
use crate::support::{Setup, payment, start};

/// Nobody listens at the address that this resolver gives for `localhost`: a relay that asks it reaches neither the API
/// nor Transform.
#[tokio::test]
async fn plain_http_goes_to_this_machine_whatever_a_resolver_says() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.2 localhost\n").unwrap();
    let Some(lying) = mounted(&hosts, Path::new("/etc/hosts")) else { return };
    let api = Api::start();
    let mut setup = setup(&api, "");
    setup.more = setup.more.replace("http://127.0.0.1:", "http://localhost:");
    setup.environment = vec![("RELAY_TRANSFORM__ALLOWED_HOSTS".to_owned(), "localhost,127.0.0.1".to_owned())];
    let (transform, relay) = start(Setup { before: lying, ..setup }).await;
    let target = format!("http://localhost:{}/x", transform.address.port());
    relay.register("payment", "tx-1", &with(payment("tr_1", "10"), "webhookTarget", target)).await;
    has_paid(&api, "tr_1", "10.00");
    relay.point(SOURCE, "tr_1", 1).await.expect(200);
    api.nth(1).await;
    transform.told("payment", "tx-1", 1).await;
}
