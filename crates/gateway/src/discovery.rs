//! RFC 9728 documents and the challenges that name them.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::json;

use crate::{GatewayConfig, ServiceConfig};

/// Where the documents are.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// What the transport's path adds to the service's.
pub(crate) const TRANSPORT: &str = "/mcp";

/// The challenges for one form of a service's URL.
#[derive(Clone, Debug)]
pub(crate) struct Challenges {
    /// No token was sent: no error code (RFC 6750 §3.1).
    pub(crate) plain: HeaderValue,
    pub(crate) invalid_request: HeaderValue,
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
        "resource_name": service.name,
    });
    if let (false, Some(members)) = (service.scopes.is_empty(), body.as_object_mut()) {
        members.insert("scopes_supported".into(), json!(service.scopes));
    }
    Document { path: format!("{WELL_KNOWN}{implied}"), body: Bytes::from(body.to_string()) }
}

/// The challenges for the URL of `service` that ends in `form`. `None` cannot happen for a checked configuration.
pub(crate) fn challenges(config: &GatewayConfig, service: &ServiceConfig, form: &str) -> Option<Challenges> {
    let mut about = format!(r#"resource_metadata="{}{WELL_KNOWN}{}{form}""#, config.public_url, service.path);
    if !service.scopes.is_empty() {
        about = format!(r#"{about}, scope="{}""#, service.scopes.join(" "));
    }
    let with = |error: &str, description: &str| {
        let text = format!(r#"Bearer error="{error}", error_description="{description}", {about}"#);
        HeaderValue::from_str(&text).ok()
    };
    Some(Challenges {
        plain: HeaderValue::from_str(&format!("Bearer {about}")).ok()?,
        invalid_request: with(
            "invalid_request",
            "send exactly one Authorization header with one bearer token",
        )?,
        invalid_token: with(
            "invalid_token",
            "the access token is expired, revoked or not for this resource",
        )?,
        insufficient_scope: with("insufficient_scope", "the access token lacks a scope of this resource")?,
    })
}
