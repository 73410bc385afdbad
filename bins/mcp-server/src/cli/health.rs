//! `healthcheck`: asks the running server.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

const TIMEOUT: Duration = Duration::from_secs(3);

/// The server is not well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HealthError {
    #[error("the server at {address} does not answer")]
    Silent { address: SocketAddr },
    #[error("the server at {address} answers {status}")]
    Unwell { address: SocketAddr, status: StatusCode },
}

/// Asks `/healthz` on the private listener.
pub(crate) async fn run(private: SocketAddr) -> Result<(), HealthError> {
    let address = reachable(private);
    match timeout(TIMEOUT, ask(address)).await {
        Ok(Some(StatusCode::OK)) => Ok(()),
        Ok(Some(status)) => Err(HealthError::Unwell { address, status }),
        Ok(None) | Err(_) => Err(HealthError::Silent { address }),
    }
}

/// A server that listens on every address is asked at the loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// The status, or `None` when there is no answer.
async fn ask(address: SocketAddr) -> Option<StatusCode> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = Request::get("/healthz").header(header::HOST, address.to_string());
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).ok()?).await.ok()?;
    Some(answer.status())
}
