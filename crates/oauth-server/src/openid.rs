//! OpenID Connect for the clients of this server: who signed in, in an ID token and at `/userinfo`.
//!
//! An access token is for a resource, an ID token for the client: their types and audiences differ, so that neither
//! passes for the other (SEC-21).

use std::time::SystemTime;

use oidc_verify::{Algorithm, IssuerConfig, TokenVerifier};
use serde_json::{Map, Value, json};

use crate::{
    clock::{after, from_seconds, unix_seconds},
    config::ScopeText,
    error::Unavailable,
    identity::Identity,
    random::Digest,
    server::Server,
    store::{Client, Grant, GrantKind},
};

/// The scope that asks for an ID token.
pub(crate) const OPENID: &str = "openid";
const PROFILE: &str = "profile";
const EMAIL: &str = "email";

/// The `typ` of ID tokens.
const ID_TOKEN_TYPE: &str = "JWT";

/// The scopes of this server itself, beside those of a resource, each with its words for a person.
pub(crate) const SCOPES: [(&str, &str); 3] = [
    (OPENID, "Know that it is you, by an identifier"),
    (PROFILE, "See your name"),
    (EMAIL, "See your e-mail address"),
];

/// What an ID token and `/userinfo` can say.
pub(crate) const CLAIMS: [&str; 9] =
    ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name", "email"];

/// The words for a scope: the resource's own, or those of this server.
pub(crate) fn words<'a>(of_resource: &'a [ScopeText], name: &str) -> Option<&'a str> {
    let own = of_resource.iter().find(|scope| scope.name == name);
    let ours = || SCOPES.iter().find(|(scope, _)| *scope == name).map(|(_, words)| *words);
    own.map_or_else(ours, |scope| scope.description.as_deref())
}

/// Whether a scope has this part.
pub(crate) fn has(scope: &str, part: &str) -> bool {
    scope.split(' ').any(|found| found == part)
}

/// The person's identifier at this server. Two providers may call different people alike, and clients know an issuer and
/// a subject only: so it is made from both.
pub(crate) fn subject(identity: &Identity) -> String {
    Digest::of_parts(&[&identity.issuer, &identity.subject]).to_text()
}

/// What the granted scopes allow to be told of the person beside the subject (OpenID Connect Core §5.4).
pub(crate) fn described(identity: &Identity, scope: &str) -> Map<String, Value> {
    let told = [("name", PROFILE, &identity.display_name), ("email", EMAIL, &identity.email)];
    told.into_iter()
        .filter(|(_, needed, _)| has(scope, needed))
        .filter_map(|(claim, _, value)| Some((claim.to_owned(), json!(value.as_ref()?))))
        .collect()
}

/// An ID token (OpenID Connect Core §2), if the scope asks for one and a person signed in for this client.
pub(crate) fn id_token(
    server: &Server,
    grant: &Grant,
    scope: &str,
    nonce: Option<&str>,
    now: SystemTime,
) -> Result<Option<String>, Unavailable> {
    if !has(scope, OPENID) || !matches!(grant.kind, GrantKind::Code | GrantKind::Device) {
        return Ok(None);
    }
    let mut claims = described(&grant.identity, scope);
    let expires_at = after(now, server.config.access_lifetime);
    for (name, value) in [
        ("iss", json!(server.config.public_url)),
        ("sub", json!(subject(&grant.identity))),
        ("aud", json!(grant.client_id)),
        ("exp", json!(unix_seconds(expires_at))),
        ("iat", json!(unix_seconds(now))),
        ("auth_time", json!(unix_seconds(grant.authenticated_at))),
    ] {
        claims.insert(name.to_owned(), value);
    }
    if let Some(nonce) = nonce {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    Ok(Some(server.keys.sign_as(ID_TOKEN_TYPE, &claims, now)?))
}

/// The client that an ID token of ours was issued to, whether or not it is over (OpenID Connect RP-Initiated Logout §2).
pub(crate) async fn hinted_client(server: &Server, hint: &str) -> Result<Option<Client>, Unavailable> {
    let Some((client_id, issued_at)) = unverified(hint) else { return Ok(None) };
    let config = IssuerConfig::builder(server.config.public_url.as_str())
        .audiences([client_id.as_str()])
        .algorithms([Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256])
        .token_types([ID_TOKEN_TYPE])
        .build();
    let Ok(config) = config else { return Ok(None) };
    let verifier = TokenVerifier::new(config, server.keys.verification_keys());
    // Judged at the time when it was issued.
    if verifier.verify(hint, issued_at).await.is_err() {
        return Ok(None);
    }
    crate::clients::find(server, &client_id).await
}

/// What an ID token says of its audience and age, true or not.
fn unverified(token: &str) -> Option<(String, SystemTime)> {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    Some((claims.get("aud")?.as_str()?.to_owned(), from_seconds(claims.get("iat")?.as_u64()?)?))
}
