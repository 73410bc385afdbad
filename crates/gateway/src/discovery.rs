//! RFC 9728 documents and the challenges that name them.

use bytes::Bytes;
use http::HeaderValue;
use oidc_verify::DPOP_ALGORITHMS;
use serde_json::json;

use crate::{GatewayConfig, ServiceConfig};

/// Where the documents are.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// What the transport's path adds to the service's.
pub(crate) const TRANSPORT: &str = "/mcp";

/// The challenges for one form of a service's URL.
#[derive(Clone, Debug)]
pub(crate) struct Challenges {
    /// For a request without a token.
    pub(crate) plain: HeaderValue,
    pub(crate) invalid_request: HeaderValue,
    pub(crate) bearer: OfScheme,
    pub(crate) dpop: OfScheme,
    pub(crate) invalid_dpop_proof: HeaderValue,
    pub(crate) use_dpop_nonce: HeaderValue,
}

/// The challenges for a token that came by one scheme.
#[derive(Clone, Debug)]
pub(crate) struct OfScheme {
    /// No error code (RFC 6750 §3.1).
    pub(crate) plain: HeaderValue,
    pub(crate) invalid_token: HeaderValue,
    pub(crate) insufficient_scope: HeaderValue,
}

/// A document and the path that it is served at.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// The documents of all services. Each carries the resource that its own URL implies, because strict clients compare
/// the two (RFC 9728 §3.3); all forms of a service mean one resource.
pub(crate) fn documents(config: &GatewayConfig) -> Vec<Document> {
    let mut documents = Vec::new();
    for service in &config.services {
        for form in ["", TRANSPORT] {
            let implied = format!("{}{form}", service.path);
            documents.push(document(config, service, &implied));
        }
    }
    if let [only] = config.services.as_slice() {
        documents.push(document(config, only, ""));
    }
    documents
}

fn document(config: &GatewayConfig, service: &ServiceConfig, implied: &str) -> Document {
    let mut body = json!({
        "resource": format!("{}{implied}", config.public_url),
        "authorization_servers": [config.authorization_server],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": DPOP_ALGORITHMS,
        "resource_name": service.name,
    });
    if let Some(members) = body.as_object_mut() {
        if !service.scopes.is_empty() {
            members.insert("scopes_supported".into(), json!(service.scopes));
        }
        if service.dpop_required {
            members.insert("dpop_bound_access_tokens_required".into(), json!(true));
        }
    }
    Document { path: format!("{WELL_KNOWN}{implied}"), body: Bytes::from(body.to_string()) }
}

/// The challenges for the URL of `service` that ends in `form`. `None` cannot happen for a checked configuration.
pub(crate) fn challenges(config: &GatewayConfig, service: &ServiceConfig, form: &str) -> Option<Challenges> {
    let mut about = format!(r#"resource_metadata="{}{WELL_KNOWN}{}{form}""#, config.public_url, service.path);
    if !service.scopes.is_empty() {
        about = format!(r#"{about}, scope="{}""#, service.scopes.join(" "));
    }
    // RFC 9449 §7.1: a challenge of this scheme says which signatures it takes.
    let dpop = format!(r#"{about}, algs="{}""#, DPOP_ALGORITHMS.join(" "));
    let plain = |scheme: &str, about: &str| HeaderValue::from_str(&format!("{scheme} {about}")).ok();
    let with = |scheme: &str, about: &str, error: &str, description: &str| {
        plain(scheme, &format!(r#"error="{error}", error_description="{description}", {about}"#))
    };
    let of_scheme = |scheme: &str, about: &str| {
        let invalid = "the access token is expired, revoked or not for this resource";
        let insufficient = "the access token lacks a scope of this resource";
        Some(OfScheme {
            plain: plain(scheme, about)?,
            invalid_token: with(scheme, about, "invalid_token", invalid)?,
            insufficient_scope: with(scheme, about, "insufficient_scope", insufficient)?,
        })
    };
    let (asked, about_asked) = if service.dpop_required { ("DPoP", &dpop) } else { ("Bearer", &about) };
    Some(Challenges {
        plain: plain(asked, about_asked)?,
        invalid_request: with(
            asked,
            about_asked,
            "invalid_request",
            "send exactly one Authorization header with one token",
        )?,
        bearer: of_scheme("Bearer", &about)?,
        dpop: of_scheme("DPoP", &dpop)?,
        invalid_dpop_proof: with(
            "DPoP",
            &dpop,
            "invalid_dpop_proof",
            "the DPoP proof does not fit this request",
        )?,
        use_dpop_nonce: with(
            "DPoP",
            &dpop,
            "use_dpop_nonce",
            "the DPoP proof needs the nonce of the DPoP-Nonce header",
        )?,
    })
}
