//! The public listener: one thread and one runtime a core, all accepting on the same address.

use std::{io, net::SocketAddr, num::NonZeroUsize, sync::Arc, thread, time::Duration};

use gateway::{PublicStream, public_connection};
use hyper_util::server::graceful::GracefulShutdown;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::LocalSet,
};

use super::{StartError, routing::Routing};
use crate::config::Listen;

/// Connections that may wait to be accepted, for each thread.
const BACKLOG: i32 = 1024;

/// Connections that a thread serves at a time. Further ones wait to be accepted: what a flood takes is bounded.
const MAX_CONNECTIONS: usize = 8192;

/// How long requests under way may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// A pause after an accept failed, e.g. because there are too many open files.
const BREATH: Duration = Duration::from_millis(50);

/// Bound sockets, one a thread.
pub(super) struct Listeners {
    sockets: Vec<Socket>,
    address: SocketAddr,
}

/// The threads that serve.
#[derive(Debug)]
pub(super) struct Workers {
    stop: watch::Sender<bool>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Binds the public address, once for each thread.
pub(super) fn listen(settings: &Listen) -> Result<Listeners, StartError> {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = settings.threads.unwrap_or(cores).get();
    let failed = |source| StartError::Listen { setting: "listen.public", address: settings.public, source };
    if settings.public.port() != 0 {
        // Without this, another server of the same user on this address would go unnoticed and share its connections.
        std::net::TcpListener::bind(settings.public).map_err(failed)?;
    }
    let first = bind(settings.public).map_err(failed)?;
    let address = first.local_addr().map_err(failed)?.as_socket().unwrap_or(settings.public);
    let mut sockets = vec![first];
    for _ in 1..threads {
        sockets.push(bind(address).map_err(failed)?);
    }
    Ok(Listeners { sockets, address })
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

impl Listeners {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the threads.
    pub(super) fn serve(self, routing: &Routing) -> Result<Workers, StartError> {
        let (stop, stopped) = watch::channel(false);
        let mut threads = Vec::new();
        for (index, socket) in self.sockets.into_iter().enumerate() {
            let runtime =
                runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
            let (routing, stopped) = (routing.clone(), stopped.clone());
            let thread = thread::Builder::new().name(format!("public-{index}")).spawn(move || {
                let accepted = LocalSet::new().block_on(&runtime, accept(socket, &routing, stopped));
                if let Err(error) = accepted {
                    tracing::error!(%error, "a public thread ended");
                }
            });
            threads.push(thread.map_err(StartError::Thread)?);
        }
        Ok(Workers { stop, threads })
    }
}

impl Workers {
    /// Stops accepting and waits for the requests under way.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                // A thread that panicked has nothing left to finish.
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }
}

async fn accept(socket: Socket, routing: &Routing, mut stopped: watch::Receiver<bool>) -> io::Result<()> {
    let listener = TcpListener::from_std(socket.into())?;
    let worker = routing.worker();
    let graceful = GracefulShutdown::new();
    let settings = public_connection();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = accept_one(&listener, &slots) => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let Ok((stream, peer, slot)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        // A connection without it still works, only slower.
        let _ = stream.set_nodelay(true);
        let connection = settings.serve_connection(PublicStream::new(stream), worker.connection(peer));
        let connection = graceful.watch(connection);
        tokio::task::spawn_local(async move {
            // A client that breaks off is nobody's error.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    Ok(())
}

/// The next connection, when there is a slot for it.
async fn accept_one(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use super::*;

    #[tokio::test]
    async fn a_full_thread_accepts_when_a_connection_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _clients =
            [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let slots = Arc::new(Semaphore::new(1));
        let first = accept_one(&listener, &slots).await.unwrap();
        let mut second = pin!(accept_one(&listener, &slots));
        assert!(poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx).is_pending())).await, "no slot");
        drop(first);
        drop(second.await.unwrap());
    }
}
