//! Which part answers a request: the gateway on the thread that read it, everything else on the main runtime.

use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

use axum::{Router, body::Body};
use gateway::{Gateway, GatewayBody};
use http::{Request, Response, StatusCode};
use http_body_util::Either;
use hyper::{body::Incoming, service::Service};
use oauth_server::ClientAddress;
use tokio::runtime::Handle;
use tower::ServiceExt;

use super::client_address::Proxies;

/// The routes of the public listener.
#[derive(Clone, Debug)]
pub(super) struct Routing {
    /// Absent while Connect is disabled.
    gateway: Option<Gateway>,
    pages: Router,
    /// Where pages and tokens are made: they wait for the database and for password hashes, calls to services must not
    /// wait for them.
    main: Handle,
    proxies: Proxies,
    /// The other end of the connection, once there is one.
    peer: Option<IpAddr>,
}

impl Routing {
    pub(super) fn new(gateway: Gateway, pages: Router, proxies: Proxies) -> Self {
        Self { gateway: Some(gateway), pages, main: Handle::current(), proxies, peer: None }
    }

    /// Everything goes to `pages`.
    pub(super) fn closed(pages: Router) -> Self {
        Self { gateway: None, pages, main: Handle::current(), proxies: Proxies::new(&[]), peer: None }
    }

    /// The same routes for another thread.
    pub(super) fn worker(&self) -> Self {
        Self {
            gateway: self.gateway.as_ref().map(Gateway::worker),
            pages: self.pages.clone(),
            main: self.main.clone(),
            proxies: self.proxies.clone(),
            peer: None,
        }
    }

    /// The same routes for one connection.
    pub(super) fn connection(&self, peer: SocketAddr) -> Self {
        Self { peer: Some(peer.ip()), ..self.clone() }
    }
}

type Answer = Response<Either<GatewayBody, Body>>;
type Answering = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

impl Service<Request<Incoming>> for Routing {
    type Response = Answer;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        if let Some(gateway) = self.gateway.as_ref().filter(|gateway| gateway.serves(request.uri().path())) {
            let answering = Service::call(gateway, request);
            return Box::pin(async move { answering.await.map(|answer| answer.map(Either::Left)) });
        }
        let mut request = request.map(Body::new);
        if let Some(peer) = self.peer {
            let caller = self.proxies.caller(peer, request.headers());
            request.extensions_mut().insert(ClientAddress(caller));
        }
        let answering = self.main.spawn(self.pages.clone().oneshot(request));
        Box::pin(async move {
            let answer = match answering.await {
                Ok(Ok(answer)) => answer,
                Err(_) => {
                    let mut failed = Response::new(Body::empty());
                    *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    failed
                }
            };
            Ok(answer.map(Either::Right))
        })
    }
}
