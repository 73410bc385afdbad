//! A small OpenID Connect provider on loopback, as right or as wrong as a test wants it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::any;
use http::{HeaderMap, StatusCode};
use oauth_server::identity::{Identity, OidcUpstream, OidcUpstreamConfig, UpstreamError};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::form_urlencoded;

use super::keys::{Key, b64};

pub(crate) const CLIENT_ID: &str = "connect";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret";
pub(crate) const CALLBACK: &str = "https://connect.example/callback/staff";
pub(crate) const NONCE: &str = "nonce-1";
pub(crate) const VERIFIER: &str = "canary-verifier-0123456789-0123456789-0123456789";
/// Where a provider publishes its metadata.
pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
pub(crate) const CODE: &str = "canary-code";
const NOW: u64 = 1_800_000_000;

/// The time at which every test happens.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// What an endpoint does instead of its duty.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Status(StatusCode),
    Redirect(String),
    Body(StatusCode, Value),
    Huge,
}

type MakeToken = Box<dyn Fn(&Key, Value) -> String + Send>;

/// What the provider is and does; a test changes it at will.
pub(crate) struct Behaviour {
    pub(crate) keys: Vec<Key>,
    /// By path.
    pub(crate) faults: HashMap<&'static str, Fault>,
    /// Members of the metadata to replace; null removes.
    pub(crate) metadata: Value,
    /// Claims of the ID token to replace; null removes.
    pub(crate) claims: Value,
    /// How the ID token is made of the claims.
    pub(crate) make_token: MakeToken,
    /// Requests seen, by path.
    pub(crate) hits: HashMap<String, usize>,
    /// The last token request: its form and its headers.
    pub(crate) token_request: Option<(HashMap<String, String>, HeaderMap)>,
}

#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) behaviour: Arc<Mutex<Behaviour>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour {
            keys: vec![Key::generate("k1", "ES256")],
            faults: HashMap::new(),
            metadata: json!({}),
            claims: json!({}),
            make_token: Box::new(|key, claims| key.sign(&key.header(), &claims)),
            hits: HashMap::new(),
            token_request: None,
        };
        let provider = Self { issuer, behaviour: Arc::new(Mutex::new(behaviour)) };
        let router = Router::new().fallback(any(serve)).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    /// Changes the provider.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    pub(crate) fn hits(&self, path: &str) -> usize {
        self.behaviour.lock().unwrap().hits.get(path).copied().unwrap_or_default()
    }

    pub(crate) fn config(&self) -> OidcUpstreamConfig {
        config(&self.issuer)
    }

    /// A fresh upstream for this provider, nothing fetched yet.
    pub(crate) fn upstream(&self) -> OidcUpstream {
        OidcUpstream::new(self.config(), client()).unwrap()
    }
}

pub(crate) fn client() -> reqwest::Client {
    OidcUpstream::http_client().no_proxy().build().unwrap()
}

pub(crate) fn config(issuer: &str) -> OidcUpstreamConfig {
    OidcUpstreamConfig {
        id: "staff".into(),
        label: "Acme staff".into(),
        issuer: issuer.into(),
        client_id: CLIENT_ID.into(),
        client_secret: Some(SecretString::from(CLIENT_SECRET)),
        scopes: vec!["profile".into(), "email".into()],
        tenant_claim: None,
        hint_claims: vec![],
        domains: vec![],
        recheck: false,
    }
}

/// The S256 challenge of [`VERIFIER`].
pub(crate) fn challenge() -> String {
    b64(digest(&SHA256, VERIFIER.as_bytes()))
}

/// Completes a sign-in as the callback of a well-behaved browser would.
pub(crate) async fn complete(upstream: &OidcUpstream) -> Result<Identity, UpstreamError> {
    let signed_in = upstream.complete(CALLBACK, CODE, None, NONCE, VERIFIER, now()).await?;
    Ok(signed_in.identity)
}

async fn serve(State(provider): State<Provider>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
    let path = parts.uri.path().to_owned();
    let mut behaviour = provider.behaviour.lock().unwrap();
    *behaviour.hits.entry(path.clone()).or_default() += 1;
    if let Some(fault) = behaviour.faults.get(path.as_str()) {
        return match fault.clone() {
            Fault::Status(status) => status.into_response(),
            Fault::Redirect(to) => Redirect::temporary(&to).into_response(),
            Fault::Body(status, body) => (status, axum::Json(body)).into_response(),
            Fault::Huge => axum::Json(json!({ "padding": "x".repeat(1 << 20) })).into_response(),
        };
    }
    match path.as_str() {
        DISCOVERY | "/moved" => axum::Json(metadata(&provider.issuer, &behaviour)).into_response(),
        "/jwks" => axum::Json(json!({"keys": behaviour.keys.iter().map(Key::jwk).collect::<Vec<_>>()}))
            .into_response(),
        "/token" => token(&provider.issuer, &mut behaviour, parts.headers, &body),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn metadata(issuer: &str, behaviour: &Behaviour) -> Value {
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?fixed=1"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    replaced(document, &behaviour.metadata)
}

fn token(issuer: &str, behaviour: &mut Behaviour, headers: HeaderMap, body: &Bytes) -> Response {
    let form = form_urlencoded::parse(body).into_owned().collect();
    behaviour.token_request = Some((form, headers));
    let claims = json!({
        "iss": issuer, "aud": CLIENT_ID, "sub": "alice", "nonce": NONCE, "iat": NOW, "exp": NOW + 300,
    });
    let claims = replaced(claims, &behaviour.claims);
    let id_token = (behaviour.make_token)(&behaviour.keys[0], claims);
    axum::Json(json!({"access_token": "canary-access-token", "token_type": "Bearer", "id_token": id_token}))
        .into_response()
}

fn replaced(mut document: Value, with: &Value) -> Value {
    for (name, value) in with.as_object().unwrap() {
        document.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    document
}
