//! Clients of the operator, and issuers that sign assertions.

use std::{collections::BTreeMap, sync::Arc, time::UNIX_EPOCH};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use oauth_server::{
    AssertionIssuer, Digest, OAuthConfig, Resource, ScopeText, WorkloadRule,
    store::{
        Client, ClientAuthentication, ClientOrigin, ClientSettings, GrantType, MemoryStore, SecretMethod,
    },
};
use oidc_verify::{Algorithm, KeySet, SharedKeys};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{Answer, Harness, ORIGIN, static_users};

pub(super) const PLATFORM: &str = "http://localhost:8080/mcp/platform";
pub(super) const FILES: &str = "http://localhost:8080/mcp/files";
pub(super) const LEDGER: &str = "http://localhost:8080/mcp/ledger";
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Three services; `read` means the same at two of them.
pub(super) fn config() -> OAuthConfig {
    let resource = |uri: &str, scopes: [&str; 2]| Resource {
        uri: uri.into(),
        name: uri.into(),
        scopes: scopes.map(|name| ScopeText { name: name.into(), description: None }).into(),
    };
    let resources = vec![
        resource(PLATFORM, ["platform", "read"]),
        resource(FILES, ["files", "read"]),
        resource(LEDGER, ["ledger", "close"]),
    ];
    OAuthConfig::new(ORIGIN, resources)
}

pub(super) async fn harness(config: OAuthConfig) -> Harness {
    Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await
}

pub(super) fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

pub(super) fn settings(resources: &[&str], scopes: &[&str], serves: &[&str]) -> ClientSettings {
    ClientSettings {
        tenant: Some("acme".into()),
        hints: json!({ "team": "night shift" }).as_object().unwrap().clone(),
        resources: texts(resources),
        scopes: texts(scopes),
        serves: texts(serves),
        ..ClientSettings::default()
    }
}

/// A client of the operator whose secret is `secret of <id>`.
pub(super) fn client(id: &str, grant_types: &[GrantType], settings: ClientSettings) -> Client {
    let digest = Digest::of(&SecretString::from(secret_of(id)));
    Client {
        id: id.into(),
        name: Some("Night shift".into()),
        authentication: ClientAuthentication::Secret { method: SecretMethod::Post, digest, previous: None },
        redirect_uris: vec![],
        grant_types: grant_types.iter().copied().collect(),
        origin: ClientOrigin::Operator,
        settings,
        registered_at: UNIX_EPOCH,
        first_used_at: None,
        registration_token: None,
    }
}

pub(super) fn secret_of(id: &str) -> String {
    format!("secret of {id}")
}

pub(super) async fn register(harness: &Harness, client: &Client) {
    assert!(harness.store.insert_client(client, 100, UNIX_EPOCH, &|| Ok(())).await.unwrap());
}

/// A token request by a client with its secret.
pub(super) async fn ask(harness: &Harness, client: &str, form: &[(&str, &str)]) -> Answer {
    ask_at(harness, "/token", client, form).await
}

pub(super) async fn ask_at(harness: &Harness, path: &str, client: &str, form: &[(&str, &str)]) -> Answer {
    let secret = secret_of(client);
    let own = [("client_id", client), ("client_secret", secret.as_str())];
    harness.post_form(path, &[&own, form].concat()).await
}

/// Changes members of an object; `null` removes one.
pub(super) fn changed(object: &Value, changes: &Value) -> Value {
    let mut object = object.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    Value::Object(object)
}

/// An issuer with one key.
pub(super) struct Issuer {
    pub(super) name: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    /// What the server is told about it.
    pub(super) fn trusted(&self) -> AssertionIssuer {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256", "x": encode(x), "y": encode(y) });
        let jwks = json!({ "keys": [jwk] }).to_string();
        AssertionIssuer {
            issuer: self.name.clone(),
            keys: SharedKeys::new(KeySet::from_jwks_json(jwks.as_bytes()).unwrap()).into(),
            algorithms: vec![Algorithm::Es256],
            max_lifetime: std::time::Duration::from_hours(1),
            leeway: std::time::Duration::ZERO,
            tenant_claim: Some("/org".into()),
            hint_claims: texts(&["team"]),
        }
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token of this type.
    pub(super) fn token(&self, kind: &str, claims: &Value) -> String {
        self.sign(&json!({ "alg": "ES256", "kid": "k", "typ": kind }), claims)
    }
}

pub(super) fn rule(claims: &[(&str, &str)], client_id: Option<&str>) -> WorkloadRule {
    let claims = claims.iter().map(|(pointer, pattern)| ((*pointer).to_owned(), pattern.parse().unwrap()));
    WorkloadRule {
        claims: claims.collect::<BTreeMap<_, _>>(),
        client_id: client_id.map(str::to_owned),
        resources: texts(&[PLATFORM]),
        scopes: texts(&["platform", "read"]),
        tenant: None,
    }
}
