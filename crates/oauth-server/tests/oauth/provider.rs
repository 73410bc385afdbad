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
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};
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
    /// Whether the person was disabled here.
    pub(crate) disabled: AtomicBool,
    /// How often a refresh token was presented.
    pub(crate) rechecks: AtomicUsize,
    /// While this is locked, whoever presents a refresh token waits.
    pub(crate) held: tokio::sync::Mutex<()>,
    /// The number of the refresh token that is good.
    refresh: AtomicUsize,
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
            disabled: AtomicBool::new(false),
            rechecks: AtomicUsize::new(0),
            held: tokio::sync::Mutex::default(),
            refresh: AtomicUsize::new(0),
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
        self.source_with(id, |_| {})
    }

    pub(crate) fn source_with(
        &self,
        id: &str,
        change: impl FnOnce(&mut OidcUpstreamConfig),
    ) -> IdentitySource {
        let mut config = OidcUpstreamConfig {
            id: id.into(),
            label: "Example".into(),
            issuer: self.issuer.clone(),
            client_id: "connect".into(),
            client_secret: Some(SecretString::from("upstream secret")),
            scopes: vec!["profile".into()],
            tenant_claim: None,
            hint_claims: vec!["groups".into()],
            domains: vec![],
            recheck: false,
        };
        change(&mut config);
        let http = OidcUpstream::http_client().build().unwrap();
        IdentitySource::Oidc(OidcUpstream::new(config, http).unwrap().accept_logout(self.logout_verifier()))
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

    fn logout_verifier(&self) -> TokenVerifier {
        let issuer = IssuerConfig::builder(self.issuer.as_str())
            .audience("connect")
            .algorithms([Algorithm::Es256])
            .token_types(["logout+jwt", "JWT"])
            .build()
            .unwrap();
        let keys = KeySet::from_jwks_json(self.jwks().to_string().as_bytes()).unwrap();
        TokenVerifier::new(issuer, SharedKeys::new(keys))
    }

    /// The claims of a logout token for the person's sign-in.
    pub(crate) fn logout_claims(&self) -> Value {
        json!({
            "iss": self.issuer, "aud": "connect", "sub": SUBJECT, "sid": "session-1", "iat": self.now,
            "exp": self.now + 120, "jti": "logout-1",
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        })
    }

    fn id_token(&self, nonce: Option<&str>, groups: &[&str]) -> String {
        let mut claims = json!({
            "iss": self.issuer, "aud": "connect", "sub": SUBJECT, "iat": self.now, "sid": "session-1",
            "exp": self.now + 300, "groups": groups, "name": "Ada",
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        self.sign("JWT", &claims)
    }

    fn tokens(&self, id_token: &str) -> Value {
        let number = self.refresh.fetch_add(1, Ordering::SeqCst) + 1;
        json!({
            "access_token": "a", "token_type": "Bearer", "id_token": id_token,
            "refresh_token": format!("refresh-{number}"),
        })
    }

    fn jwks(&self) -> Value {
        let public = self.key.public_key().as_ref();
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (encode(&public[1..33]), encode(&public[33..]));
        let key =
            json!({ "kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256", "x": x, "y": y });
        json!({ "keys": [key] })
    }

    pub(crate) fn sign(&self, token_type: &str, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": "k", "typ": token_type });
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
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
    Json(provider.jwks())
}

async fn token(State(provider): State<Arc<Provider>>, Form(form): Form<Vec<(String, String)>>) -> Response {
    if provider.down.load(Ordering::SeqCst) {
        return unavailable();
    }
    let value = |name: &str| form.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    if value("grant_type") == Some("refresh_token") {
        return refresh(&provider, value("refresh_token").unwrap()).await;
    }
    let verifier = SecretString::from(value("code_verifier").unwrap());
    let pending = provider.pending.lock().unwrap().take();
    match pending {
        Some((nonce, challenge)) if Digest::of(&verifier).to_text() == challenge => {
            provider.redeemed.fetch_add(1, Ordering::SeqCst);
            let id_token = provider.id_token(Some(&nonce), &["analysts"]);
            Json(provider.tokens(&id_token)).into_response()
        }
        _ => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response(),
    }
}

/// A refresh token is good once, as at the strictest providers.
async fn refresh(provider: &Provider, presented: &str) -> Response {
    provider.rechecks.fetch_add(1, Ordering::SeqCst);
    drop(provider.held.lock().await);
    if provider.down.load(Ordering::SeqCst) {
        return unavailable();
    }
    let current = format!("refresh-{}", provider.refresh.load(Ordering::SeqCst));
    if provider.disabled.load(Ordering::SeqCst) || presented != current {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    }
    Json(provider.tokens(&provider.id_token(None, &["readers"]))).into_response()
}
