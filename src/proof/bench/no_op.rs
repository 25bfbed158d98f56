//! The contender that does nothing: it reads each request and answers 200. No service on this HTTP library is quicker.

use std::net::SocketAddr;

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, anyhow};

use super::listening::says;
use crate::http::workers;

/// Serves until the process is killed.
pub(super) async fn serve() -> anyhow::Result<()> {
    served(|config| {
        config.default_service(web::to(|_body: web::Bytes| async { HttpResponse::Ok().finish() }));
    })
    .await
}

/// Serves these routes at a free port of 127.0.0.1, with as many threads as the relay has.
pub(super) async fn served(routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> anyhow::Result<()> {
    let server = HttpServer::new(move || App::new().configure(routes.clone())).workers(workers()).disable_signals();
    let server = server.bind(SocketAddr::from(([127, 0, 0, 1], 0))).context("cannot listen")?;
    says(server.addrs().first().copied().ok_or_else(|| anyhow!("no address"))?);
    let running: Server = server.run();
    running.await.context("the server failed")
}
