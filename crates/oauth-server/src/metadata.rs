//! What this server says about itself: RFC 8414, the OpenID Connect form of the same, and the keys.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use oidc_verify::{CLIENT_ASSERTION_ALGORITHMS, DPOP_ALGORITHMS};
use serde_json::{Map, Value, json};

use crate::{
    assertions::IDENTITY_ASSERTION_PROFILE,
    client_documents::DocumentTrust,
    config::{DeviceClients, OAuthConfig, SigningAlgorithm},
    openid,
    register::RegistrationMode,
    server::Server,
    store::{GrantType, PRIVATE_KEY_JWT},
};

/// How long the documents may be cached: `PUBLISHED_MAX_AGE`, which the rotation of keys counts on.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The scope that asks for a refresh token. Every client gets one that registered for it; it is listed here only,
/// never by a resource.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// The documents, rendered once.
pub(crate) struct Documents {
    authorization_server: String,
    /// Without the algorithms, which change with the keys.
    openid: Map<String, Value>,
}

impl Documents {
    /// Renders both. Only what exists is advertised.
    pub(crate) fn new(config: &OAuthConfig) -> Self {
        let common = common(config);
        let mut openid = common.clone();
        // Required by OpenID Connect Discovery §3; clients that find this form first parse it strictly.
        openid.insert("subject_types_supported".into(), json!(["public"]));
        Self { authorization_server: Value::Object(common).to_string(), openid }
    }

    fn openid(&self, algorithms: &[SigningAlgorithm]) -> String {
        let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        let mut openid = self.openid.clone();
        openid.insert("id_token_signing_alg_values_supported".into(), json!(names));
        Value::Object(openid).to_string()
    }
}

fn common(config: &OAuthConfig) -> Map<String, Value> {
    let scopes =
        config.resources.iter().flat_map(|resource| &resource.scopes).map(|scope| scope.name.as_str());
    let ours = openid::SCOPES.iter().map(|(name, _)| *name);
    let scopes: BTreeSet<&str> = scopes.chain([OFFLINE_ACCESS]).chain(ours).collect();
    let resources: Vec<&str> = config.resources.iter().map(|resource| resource.uri.as_str()).collect();
    let documents = config.client_documents != DocumentTrust::Off;
    let confidential = ["client_secret_basic", "client_secret_post", PRIVATE_KEY_JWT];
    let authentication = json!([&["none"], &confidential[..]].concat());
    let mut optional = Map::new();
    if !matches!(config.registration, RegistrationMode::Off) {
        optional.insert("registration_endpoint".to_owned(), config.url_of("/register").into());
    }
    if config.device_clients != DeviceClients::Off {
        optional.insert(
            "device_authorization_endpoint".to_owned(),
            config.url_of("/device_authorization").into(),
        );
    }
    if !config.identity_assertion_issuers.is_empty() {
        let profiles = json!([IDENTITY_ASSERTION_PROFILE]);
        optional.insert("authorization_grant_profiles_supported".to_owned(), profiles);
    }
    let signing = json!(CLIENT_ASSERTION_ALGORITHMS);
    [
        ("issuer", json!(config.public_url)),
        ("authorization_endpoint", json!(config.url_of("/authorize"))),
        ("token_endpoint", json!(config.url_of("/token"))),
        ("revocation_endpoint", json!(config.url_of("/revoke"))),
        ("introspection_endpoint", json!(config.url_of("/introspect"))),
        ("userinfo_endpoint", json!(config.url_of("/userinfo"))),
        ("end_session_endpoint", json!(config.url_of("/end_session"))),
        ("jwks_uri", json!(config.url_of("/.well-known/jwks.json"))),
        ("scopes_supported", json!(scopes)),
        ("claims_supported", json!(openid::CLAIMS)),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query"])),
        ("grant_types_supported", json!(grant_types(config))),
        ("token_endpoint_auth_methods_supported", authentication.clone()),
        ("token_endpoint_auth_signing_alg_values_supported", signing.clone()),
        ("revocation_endpoint_auth_methods_supported", authentication),
        ("revocation_endpoint_auth_signing_alg_values_supported", signing.clone()),
        ("introspection_endpoint_auth_methods_supported", json!(confidential)),
        ("introspection_endpoint_auth_signing_alg_values_supported", signing),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("pushed_authorization_request_endpoint", json!(config.url_of("/par"))),
        ("require_pushed_authorization_requests", json!(false)),
        ("request_uri_parameter_supported", json!(false)),
        ("dpop_signing_alg_values_supported", json!(DPOP_ALGORITHMS)),
        ("protected_resources", json!(resources)),
    ]
    .into_iter()
    .chain(documents.then_some(("client_id_metadata_document_supported", json!(true))))
    .map(|(name, value)| (name.to_owned(), value))
    .chain(optional)
    .collect()
}

/// What somebody may present at the token endpoint. Clients of the operator need no setting; whose assertions count does.
fn grant_types(config: &OAuthConfig) -> Vec<&'static str> {
    let asserted = !(config.workload_issuers.is_empty() && config.identity_assertion_issuers.is_empty());
    let types = [
        (GrantType::AuthorizationCode, true),
        (GrantType::RefreshToken, true),
        (GrantType::DeviceCode, config.device_clients != DeviceClients::Off),
        (GrantType::ClientCredentials, true),
        (GrantType::JwtBearer, asserted),
        (GrantType::TokenExchange, true),
    ];
    types.into_iter().filter(|(_, offered)| *offered).map(|(offered, _)| offered.as_str()).collect()
}

/// `GET /.well-known/oauth-authorization-server`
pub(crate) async fn authorization_server(State(server): State<Arc<Server>>) -> Response {
    document(server.documents.authorization_server.clone(), "application/json")
}

/// `GET /.well-known/openid-configuration`
pub(crate) async fn openid_configuration(State(server): State<Arc<Server>>) -> Response {
    let algorithms = server.keys.algorithms(server.now());
    document(server.documents.openid(&algorithms), "application/json")
}

/// `GET /.well-known/jwks.json`
pub(crate) async fn jwks(State(server): State<Arc<Server>>) -> Response {
    document(server.keys.jwks_json(server.now()), "application/jwk-set+json")
}

fn document(body: String, media_type: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, CACHE_CONTROL),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::CACHE_CONTROL;
    use crate::keys::PUBLISHED_MAX_AGE;

    #[test]
    fn documents_are_cached_for_as_long_as_rotation_counts_on() {
        assert_eq!(CACHE_CONTROL, format!("public, max-age={}", PUBLISHED_MAX_AGE.as_secs()));
    }
}
