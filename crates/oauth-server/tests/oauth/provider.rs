//! An OpenID Connect provider on loopback.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{
    Form, Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use oauth_server::{
    Digest,
    identity::{IdentitySource, OidcUpstream, OidcUpstreamConfig},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};

pub(crate) const SUBJECT: &str = "auth0|x/é";

/// What the tests can turn.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) down: AtomicBool,
    pub(crate) redeemed: AtomicUsize,
    /// The nonce and challenge of the sign-in that the next code stands for.
    pending: Mutex<Option<(String, String)>>,
    now: u64,
    key: EcdsaKeyPair,
}

impl Provider {
    pub(crate) async fn start(now: u64) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let provider = Arc::new(Self {
            issuer,
            down: AtomicBool::new(false),
            redeemed: AtomicUsize::new(0),
            pending: Mutex::new(None),
            now,
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    pub(crate) fn source(&self, id: &str) -> IdentitySource {
        let config = OidcUpstreamConfig {
            id: id.into(),
            label: "Example".into(),
            issuer: self.issuer.clone(),
            client_id: "connect".into(),
            client_secret: Some(SecretString::from("upstream secret")),
            scopes: vec!["profile".into()],
            tenant_claim: None,
            hint_claims: vec!["groups".into()],
        };
        let http = OidcUpstream::http_client().build().unwrap();
        IdentitySource::Oidc(OidcUpstream::new(config, http).unwrap())
    }

    /// What the person's sign-in there leads to: the callback's query.
    pub(crate) fn sign_in(&self, authorization_url: &str) -> String {
        let url = url::Url::parse(authorization_url).unwrap();
        let param = |name: &str| {
            url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned()).unwrap()
        };
        *self.pending.lock().unwrap() = Some((param("nonce"), param("code_challenge")));
        crate::support::query(&[("code", "upstream-code"), ("state", &param("state")), ("iss", &self.issuer)])
    }

    fn id_token(&self, nonce: &str) -> String {
        let header = json!({ "alg": "ES256", "kid": "k", "typ": "JWT" });
        let claims = json!({
            "iss": self.issuer, "aud": "connect", "sub": SUBJECT, "nonce": nonce, "iat": self.now,
            "exp": self.now + 300, "groups": ["analysts"], "name": "Ada",
        });
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn unavailable() -> Response {
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

async fn metadata(State(provider): State<Arc<Provider>>) -> Response {
    if provider.down.load(Ordering::SeqCst) {
        return unavailable();
    }
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
    .into_response()
}

async fn jwks(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let public = provider.key.public_key().as_ref();
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = (encode(&public[1..33]), encode(&public[33..]));
    Json(
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256", "x": x, "y": y }] }),
    )
}

async fn token(State(provider): State<Arc<Provider>>, Form(form): Form<Vec<(String, String)>>) -> Response {
    if provider.down.load(Ordering::SeqCst) {
        return unavailable();
    }
    let value = |name: &str| form.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let verifier = SecretString::from(value("code_verifier").unwrap());
    let pending = provider.pending.lock().unwrap().take();
    match pending {
        Some((nonce, challenge)) if Digest::of(&verifier).to_text() == challenge => {
            provider.redeemed.fetch_add(1, Ordering::SeqCst);
            let body =
                json!({ "access_token": "a", "token_type": "Bearer", "id_token": provider.id_token(&nonce) });
            Json(body).into_response()
        }
        _ => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response(),
    }
}
