//! A scripted HTTP server on a port of its own: a thread for each connection, and a function that answers each request.
//!
//! Threads keep it apart from the runtime of its user: a test that blocks does not stop its stand-in.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::connection::{Connection, Sent, Stream};
use super::http::Request;
use crate::proof::lock::lock;

/// The pause after a connection that could not be accepted, so that a machine without free files is not kept busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(1);

type Serve = Arc<dyn Fn(TcpStream) + Send + Sync>;

/// A server. It stops listening when it is dropped; its open connections go on until the other side closes them.
pub struct Server {
    /// The address at which it listens.
    pub address: SocketAddr,
    serve: Serve,
    accepting: Mutex<Option<Accepting>>,
    open: Arc<Mutex<Vec<Weak<TcpStream>>>>,
    /// Holds the port while the server does not listen, so that no other process gets it.
    _port: Socket,
}

/// The thread that accepts connections.
struct Accepting {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// The bytes of a plain connection.
///
/// # Errors
/// None.
pub fn plain(stream: TcpStream) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(stream))
}

impl Server {
    /// Starts a server at this address, with port 0 at a free port. `wrap` makes the connection's bytes of its TCP stream
    /// ([`plain`], or TLS), and `answer` answers each request.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn start(
        address: SocketAddr,
        wrap: impl Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync + 'static,
        answer: impl Fn(Request, &mut Connection) -> Sent + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let port = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        port.set_reuse_address(true)?;
        port.bind(&address.into())?;
        let address = port.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let open: Arc<Mutex<Vec<Weak<TcpStream>>>> = Arc::default();
        let known = Arc::clone(&open);
        let serve = Arc::new(move |stream: TcpStream| {
            // A connection that ended at once is none.
            let Ok(socket) = stream.try_clone().map(Arc::new) else { return };
            {
                let mut known = lock(&known);
                known.retain(|other| other.strong_count() > 0);
                known.push(Arc::downgrade(&socket));
            }
            let Ok(stream) = wrap(stream) else { return };
            let mut connection = Connection::new(stream, socket);
            while let Some(request) = connection.read()
                && answer(request, &mut connection) == Sent::Whole
            {}
        });
        let server = Self { address, serve, accepting: Mutex::default(), open, _port: port };
        server.refuses(false)?;
        Ok(server)
    }

    /// Refuses connections from now on, and takes no further request on the open ones; or listens again.
    ///
    /// # Errors
    /// It cannot listen again.
    pub fn refuses(&self, yes: bool) -> io::Result<()> {
        let mut accepting = lock(&self.accepting);
        if !yes {
            if accepting.is_none() {
                *accepting = Some(self.accept(TcpListener::bind(self.address)?));
            }
            return Ok(());
        }
        if let Some(accepting) = accepting.take() {
            accepting.stop(self.address);
        }
        // A reply under way can still be written.
        lock(&self.open).iter().filter_map(Weak::upgrade).for_each(|socket| drop(socket.shutdown(Shutdown::Read)));
        Ok(())
    }

    fn accept(&self, listener: TcpListener) -> Accepting {
        let stopped: Arc<AtomicBool> = Arc::default();
        let (stop, serve) = (Arc::clone(&stopped), Arc::clone(&self.serve));
        let thread = thread::spawn(move || {
            loop {
                let accepted = listener.accept();
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                match accepted {
                    Ok((stream, _)) => {
                        let serve = Arc::clone(&serve);
                        thread::spawn(move || serve(stream));
                    }
                    Err(_) => thread::sleep(ACCEPT_PAUSE),
                }
            }
        });
        Accepting { stopped, thread }
    }
}

impl Accepting {
    /// Stops it. When this returns, connections are refused.
    fn stop(self, address: SocketAddr) {
        self.stopped.store(true, Ordering::SeqCst);
        // One more connection makes the thread wake up and end.
        if TcpStream::connect(address).is_ok() {
            drop(self.thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.stop(self.address);
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}
