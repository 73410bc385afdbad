//! A listener that serves a router until it is told to stop, and then lets what is under way finish.
//!
//! HTTP/1.1 only, which is what the gateway and health checks speak: a server that waits to learn which version a
//! connection will be waits without a bound for whoever never says.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// A connection that has not sent a request's head by then is closed (SEC-55), the first one or a further one. The
/// gateway closes a connection that it does not use after 15 s: had it to reckon with ours closing first, it could send
/// a request into a connection that is closing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of a request's head: the decision takes 8 KiB, the rest is the client's.
const MAX_HEAD: usize = 32 * 1024;
/// How long calls under way may take to finish once the server stops.
const DRAIN: Duration = Duration::from_secs(20);
/// After a failed accept, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `address` until `stop` says true.
pub(crate) async fn listen(
    address: SocketAddr,
    router: Router,
    stop: watch::Receiver<bool>,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(serve(listener, router, stop, HEAD_TIMEOUT))))
}

async fn serve(
    listener: TcpListener,
    router: Router,
    mut stop: watch::Receiver<bool>,
    head_timeout: Duration,
) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(head_timeout).max_header_size(MAX_HEAD);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // A sender that is gone stops the server too.
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Answers are small and awaited: do not hold them back. A socket that refuses serves all the same.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("calls under way did not finish in time");
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    /// SEC-55: a connection that never sends a whole head -> closed
    #[tokio::test]
    async fn a_connection_that_sends_no_request_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, Router::new(), stopped, Duration::from_millis(50)));
        let whole = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        for sent in ["", "P", "PRI * HTTP/2.0\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\r\n", whole] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "{sent:?} keeps the connection");
            assert_eq!(answer.starts_with(b"HTTP/1.1 404"), sent == whole, "{sent:?}");
        }
    }
}
