//! The HTTP server on its socket.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config,
};
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::gate::Gate;
use super::listener::Listener;
use super::options::ServerOptions;
use super::patience::Patience;
use super::routes::routes;
use super::state::State;
use super::stream::Paced;
use super::{contract, gate, logged, unread};

/// The most connections that the machine keeps until they are accepted, unless its own limit is lower.
const BACKLOG: i32 = 1024;
/// The most unread bytes of a client's answers that the machine holds. The relay holds further ones.
const SEND_BUFFER: usize = 128 * 1024;
/// The longest time for closing a connection.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The most workers.
const WORKERS_MAX: usize = 512;

/// The number of threads that serve connections.
#[must_use]
pub fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS_MAX)
}

/// The relay's addresses, bound and held for it. Nobody can connect yet.
#[derive(Debug)]
pub struct Held {
    /// That of `server.listen`.
    only: BoundSocket,
    /// That of `server.admin_listen`, if it is configured.
    admin: Option<BoundSocket>,
}

/// A bound address.
#[derive(Debug)]
struct BoundSocket {
    /// The key of its setting.
    key: &'static str,
    /// The address as it is configured.
    at: SocketAddr,
    listener: TcpListener,
    /// The address with its port.
    address: SocketAddr,
}

/// A server with its sockets.
pub struct Bound {
    /// The server; it serves once it is awaited.
    pub server: Server,
    /// The address of `server.listen`.
    pub address: SocketAddr,
    /// The address of `server.admin_listen`, if there is one.
    pub admin: Option<SocketAddr>,
}

/// An address that cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {at}")]
pub struct NotBound {
    /// The key of its setting.
    pub key: &'static str,
    /// The address.
    pub at: SocketAddr,
    /// The machine's reason.
    pub source: std::io::Error,
}

/// Binds the addresses.
///
/// # Errors
/// An address cannot be bound; then none of them is.
pub fn bind(options: &ServerOptions) -> Result<Held, NotBound> {
    let only = BoundSocket::of("server.listen", options.listen)?;
    let admin = options.admin_listen.map(|at| BoundSocket::of("server.admin_listen", at)).transpose()?;
    Ok(Held { only, admin })
}

/// Lets clients connect, and serves the routes once the server is awaited.
///
/// # Errors
/// Nobody can be let in at an address; then nobody is at any.
pub fn serve(held: Held, options: &ServerOptions, state: State) -> Result<Bound, NotBound> {
    let Held { only, admin } = held;
    let (listener, address) = only.listen(options)?;
    let admin = admin.map(|admin| admin.listen(options)).transpose()?;
    let workers = workers();
    let server = Server::build();
    let hall = Hall {
        room: Arc::new(Semaphore::new(options.max_connections)),
        patience: Patience {
            header_timeout: options.header_timeout,
            keep_alive: options.keep_alive,
            body_timeout: options.body_timeout,
            write_timeout: options.write_timeout,
            stopping: server.graceful_shutdown_signal(),
        },
        state: web::Data::new(state),
    };
    let server = server
        .workers(workers)
        // This limit is for each worker. A connection beyond the limit of all workers together waits in the hall.
        .max_concurrent_connections(options.max_connections.div_ceil(workers))
        // SIGINT would be a forced stop; the composition root decides how to stop.
        .disable_signals()
        .shutdown_timeout(options.shutdown_grace.as_secs().max(1));
    let not_served = |key, at| move |source| NotBound { key, at, source };
    let (routes, admin_address) = match &admin {
        Some((_, address)) => (Listener::Public, Some(*address)),
        None => (Listener::Only, None),
    };
    let public_hall = hall.clone();
    let mut server = server
        .listen("relay", listener, move || service(public_hall.clone(), routes))
        .map_err(not_served("server.listen", address))?;
    if let Some((listener, address)) = admin {
        server = server
            .listen("relay-admin", listener, move || service(hall.clone(), Listener::Admin))
            .map_err(not_served("server.admin_listen", address))?;
    }
    Ok(Bound { server: server.run(), address, admin: admin_address })
}

impl BoundSocket {
    /// Binds an address. The port of a relay that has just ended is free.
    fn of(key: &'static str, at: SocketAddr) -> Result<Self, NotBound> {
        let bound = || {
            let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.bind(&at.into())?;
            let listener = TcpListener::from(socket);
            let address = listener.local_addr()?;
            Ok(Self { key, at, listener, address })
        };
        bound().map_err(|source| NotBound { key, at, source })
    }

    /// Lets clients connect, and bounds what the machine keeps of them.
    fn listen(self, options: &ServerOptions) -> Result<(TcpListener, SocketAddr), NotBound> {
        let Self { key, at, listener, address } = self;
        let listens = || {
            SockRef::from(&listener).listen(BACKLOG)?;
            bound_what_is_unsent(&listener, options.write_timeout)
        };
        listens().map_err(|source| NotBound { key, at, source })?;
        Ok((listener, address))
    }
}

/// Bounds the unread answers that the machine holds for a connection, in size and time. Each connection inherits this.
fn bound_what_is_unsent(listener: &TcpListener, write_timeout: Duration) -> std::io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_send_buffer_size(SEND_BUFFER)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(write_timeout))?;
    Ok(())
}

/// The routes of an address as a service of connections; each worker has one.
fn service(
    hall: Hall,
    listener: Listener,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()> {
    let app = App::new()
        .app_data(hall.state.clone())
        .wrap(from_fn(contract::as_error_object))
        .wrap(from_fn(unread::ends_the_connection))
        .wrap(from_fn(logged::logged))
        .wrap(from_fn(gate::one_at_a_time))
        .configure(|config| routes(config, listener));
    let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
    let stopping = hall.patience.stopping.clone();
    let http = HttpService::build()
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        // actix's keep-alive and head timeouts are off, and the stream keeps these times. actix looks at the clock before
        // it reads bytes that have come. Its keep-alive runs also while an answer waits to be read. Its timeout for a head
        // covers the first head only.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .on_connect_ext(Paced::connect)
        .finish(map_config(app, |()| AppConfig::default()));
    fn_factory(move || {
        let (http, hall) = (http.new_service(()), hall.clone());
        async move {
            let http = Rc::new(http.await?);
            Ok(fn_service(move |tcp| hall.clone().serve(tcp, Rc::clone(&http))))
        }
    })
}

/// The state that all connections share.
#[derive(Clone)]
struct Hall {
    /// The room for the connections that are served at once.
    room: Arc<Semaphore>,
    patience: Patience,
    state: web::Data<State>,
}

impl Hall {
    /// Serves a connection to its end, once there is room for it.
    async fn serve<S>(self, tcp: TcpStream, http: Rc<S>) -> Result<(), ()>
    where
        S: Service<(Paced, Protocol, Option<SocketAddr>), Response = (), Error = DispatchError>,
    {
        let _room = tokio::select! {
            room = self.room.acquire() => room.map_err(drop)?,
            () = self.patience.stopping.notified() => return Ok(()),
        };
        let (peer, gate) = (tcp.peer_addr().ok(), Gate::default());
        let stream = Paced::new(tcp, self.patience.clone(), gate.clone(), self.state.clock);
        let ended = http.call((stream, Protocol::Http1, peer)).await;
        let (now, stops) = (self.state.clock.now().steady, self.patience.stops().await);
        match ended {
            Err(error) => self.state.refusals.ended(peer, &error, now),
            Ok(()) => {
                if let Some((kind, reason)) = gate.cut(stops) {
                    self.state.refusals.cut(peer, kind, reason, now);
                }
            }
        }
        Ok(())
    }
}
