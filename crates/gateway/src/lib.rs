//! Authenticates a call, decides its role and forwards it with the decision in its headers.
//!
//! [`Authorizer`] turns a token into a [`Permit`]: verified, not revoked, decided by the mapping, within its rate. A
//! permit is kept under the SHA-256 of its token, so that the next call with it costs one hash and one look-up. [`Gateway`] is the
//! HTTP side, a tower and hyper service: discovery documents (RFC 9728) and challenges, the `Origin` check, the header
//! boundary, the reading of JSON-RPC messages, and the way to the service and back.
//!
//! It does not issue tokens, and it grants nothing by itself: what a caller may do is in the mapping.
//!
//! ```no_run
//! # async fn example(authorizer: gateway::Authorizer, audit: audit::AuditLog) -> Result<(), Box<dyn std::error::Error>> {
//! use gateway::{Gateway, GatewayConfig, PublicStream, ServiceConfig, public_connection};
//!
//! let config = GatewayConfig {
//!     public_url: "https://connect.example.com".into(),
//!     authorization_server: "https://connect.example.com".into(),
//!     allowed_origins: vec![],
//!     services: vec![ServiceConfig::new("platform", "/mcp/platform", "http://127.0.0.1:8001/mcp")],
//! };
//! let gateway = Gateway::new(&config, authorizer.into(), audit)?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! // One per worker thread: it has its own connections and its own cache.
//! let worker = gateway.worker();
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     tokio::spawn(public_connection().serve_connection(PublicStream::new(stream), worker.clone()));
//! }
//! # }
//! ```
//!
//! # Threats
//! * *Forged decisions* (SEC-42 to 45): every inbound header that some server could take for a decision header is removed,
//!   `Connection` cannot remove one, trailers are dropped in both directions, the gateway's own are set last.
//! * *Leaked credentials*: `Authorization`, `Cookie` and `DPoP` never go upstream, nor does the query, where a client might
//!   have put a token. Caches are keyed by a hash; no token is kept.
//! * *Stolen tokens* (SEC-30 to 34): a token with `cnf.jkt` needs a DPoP proof for this method, this URL and itself, made
//!   lately and never used before; it never counts as a bearer token, and what else a `cnf` may say is refused. Headers
//!   that speak of a client certificate are removed.
//! * *Two readers of one message* (SEC-46, 51): requests are written anew from their parsed form; a message with
//!   repeated members is refused; headers that repeat its method or name must agree with it.
//! * *A service that speaks for us* (SEC-52): its decision headers, cookies, challenges and policies for the whole origin do
//!   not pass, its 401 is a 502, its answers are framed anew.
//! * *Crossed identities*: a permit belongs to one hash of one token for one service; every part of it was made from that
//!   token alone.
//! * *Old knowledge*: a permit ends with its token, after a configured age, with a change of the mapping, with a revocation, when the clock
//!   steps back. A mapping that was not confirmed, keys that are not at hand and an audit log that does not
//!   record all mean 503.
//! * *Exhaustion* (SEC-55): heads, bodies, depths, caches and pools are bounded, and every wait has its time.

mod authorizer;
mod body;
mod config;
mod connection;
mod credentials;
mod deadline;
mod discovery;
mod headers;
mod ids;
mod metrics;
mod origin;
mod reply;
mod rpc;
mod service;
mod upstream;

pub use authorizer::{
    Authorized, Authorizer, AuthorizerConfig, AuthorizerConfigError, Clock, Denial, Denied, DpopRules,
    Permit, Presented, ProcessReplays, ProofReplays, Recording, ReplaysUnavailable, Revocations, TokenCache,
    Wanted,
};
pub use body::GatewayBody;
pub use config::{ConfigError, GatewayConfig, Protocol, ServiceConfig, Timeouts};
pub use connection::{PublicStream, public_connection};
pub use metrics::{GatewayMetrics, MetricsSnapshot};
pub use service::Gateway;
pub use upstream::AnswerError;
