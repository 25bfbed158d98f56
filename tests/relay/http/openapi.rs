//! Route GET /openapi.json: the running relay describes itself as docs/openapi.yaml does.

use std::fs;
use std::path::Path;

use reqwest::Method;

use crate::support::{Setup, start};
use crate::yaml::loaded;

#[tokio::test]
async fn everybody_reads_the_document_that_the_page_shows() {
    let (_transform, relay) = start(Setup::silent()).await;
    let reply = relay.send(relay.request(Method::GET, "/openapi.json")).await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.yaml")).unwrap();
    assert_eq!(reply.json(), loaded(&page).unwrap());
}
