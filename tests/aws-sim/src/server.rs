//! The one HTTP endpoint: which service a request is for, and everything around it.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use s3s::Body;
use s3s::service::S3Service;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::answer;
use crate::clock::rfc3339;
use crate::sigv4::{Service, Verifier};
use crate::trail::Call;
use crate::world::{Inbound, World};
use crate::{control, s3, sts};

/// Where the task role's credentials are.
pub(crate) const CREDENTIALS_PATH: &str = "/container-credentials";

const MAX_FORM: usize = 128 * 1024;

/// What every connection shares.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) world: Arc<World>,
    pub(crate) s3: S3Service,
}

impl Server {
    /// Accepts connections until told to stop, then closes the open ones.
    pub(crate) async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(self.clone().serve(stream, peer));
                }
                Err(error) => tracing::warn!(%error, "cannot accept a connection"),
            }
        }
        connections.shutdown().await;
    }

    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        let service = hyper::service::service_fn(move |request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.answer(request, peer.ip()).await) }
        });
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn answer(&self, request: Request<Incoming>, source_ip: IpAddr) -> Response<Body> {
        let request_id = Uuid::new_v4().to_string();
        let path = request.uri().path();
        let mut response = if path == CREDENTIALS_PATH || path.starts_with("/_sim/") {
            let (head, body) = request.into_parts();
            match collect(body).await {
                Some(body) => full(control::answer(&self.world, &head, &body)),
                None => full(too_large()),
            }
        } else if path == "/" && (request.method() == Method::POST || has_action(request.uri())) {
            let (head, body) = request.into_parts();
            match collect(body).await {
                Some(body) => full(sts::answer(&self.world, &head, &body, &request_id, source_ip).await),
                None => full(too_large()),
            }
        } else {
            self.s3(request, &request_id, source_ip).await
        };
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("x-amz-request-id", value.clone());
            response.headers_mut().insert("x-amzn-requestid", value);
        }
        response
    }

    async fn s3(&self, request: Request<Incoming>, request_id: &str, source_ip: IpAddr) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let method = head.method.clone();
        let inbound = match self.authenticate(&head, request_id, source_ip) {
            Ok(inbound) => inbound,
            Err(error) => return full(answer::error(Service::S3, &method, &error, request_id)),
        };
        head.extensions.insert(inbound);
        match self.s3.call(Request::from_parts(head, Body::from(body))).await {
            Ok(response) => response,
            Err(error) => {
                let source = <s3s::StdError>::from(error);
                tracing::warn!(%source, "s3 request failed");
                let error = answer::ApiError::new(500, "InternalError", "We encountered an internal error.");
                full(answer::error(Service::S3, &method, &error, request_id))
            }
        }
    }

    fn authenticate(
        &self,
        head: &Parts,
        request_id: &str,
        source_ip: IpAddr,
    ) -> Result<Inbound, answer::ApiError> {
        let world = &self.world;
        let verifier = Verifier { keyring: &world.keyring, regions: &world.regions, now: world.now() };
        let declared = head.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
        match verifier.verify(head, declared.unwrap_or_default(), Service::S3) {
            Ok(caller) => Ok(Inbound { caller, request_id: request_id.to_owned(), source_ip }),
            Err(error) => {
                let error = s3::unauthenticated(error);
                let mut call = Call::new(Service::S3, "Unknown", request_id, rfc3339(world.now()));
                call.request_parameters.insert("path".to_owned(), json!(head.uri.path()));
                call.failed(error.code, &error.message);
                world.trail.record(call);
                Err(error)
            }
        }
    }
}

/// A GET of the query protocol, which `sts` refuses in its own words.
fn has_action(uri: &http::Uri) -> bool {
    uri.query().unwrap_or_default().split('&').any(|pair| pair.starts_with("Action="))
}

async fn collect(body: Incoming) -> Option<Bytes> {
    Limited::new(body, MAX_FORM).collect().await.ok().map(http_body_util::Collected::to_bytes)
}

fn too_large() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"the body is too large or broken off"));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}

fn full(response: Response<Bytes>) -> Response<Body> {
    response.map(|body| Body::http_body(Full::new(body)))
}
