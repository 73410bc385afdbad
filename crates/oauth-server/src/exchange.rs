//! The token endpoint (RFC 6749 §3.2): codes and refresh tokens become access tokens.

use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

use audit::{Action, Event, Outcome, Party};
use axum::{Extension, body::Body, extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{
    body::{BodyError, read_form},
    client_authn::{ClientError, authenticate},
    clock::after,
    error::{Unavailable, chain, json_no_store, oauth_error, unavailable_json},
    http_layer::RequestId,
    metadata::OFFLINE_ACCESS,
    params::Params,
    random::{Digest, secret},
    server::Server,
    sign_in::party_of,
    store::{Client, Code, Grant, RefreshToken},
    token::{self, AccessToken, Subject},
};

/// Why no token is issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TokenError {
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Something in the URL: it would be logged on the way.
    #[error("parameters belong in the body, never in the URL")]
    Query,
    /// RFC 6749 §3.2.
    #[error("a parameter occurs more than once")]
    Duplicate,
    /// A parameter that this grant needs.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The verifier is not 43 to 128 unreserved characters (RFC 7636 §4.1).
    #[error("code_verifier must be 43 to 128 unreserved characters")]
    VerifierForm,
    /// The client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A grant type this server does not have.
    #[error("grant_type must be authorization_code or refresh_token")]
    GrantType,
    /// The client registered without this grant type.
    #[error("the client did not register for refresh tokens")]
    NotRegisteredForRefresh,
    /// The code or refresh token is worth nothing, for this client or for anybody.
    #[error("the {0} is invalid, expired, revoked or was issued to another client")]
    Grant(&'static str),
    /// A code or refresh token came a second time: everything issued under its grant is revoked.
    #[error("the {0} was used before; everything issued for it is revoked")]
    Replay(&'static str),
    /// RFC 8707 §2.
    #[error("resource must be the one that was authorized")]
    Target,
    /// More than was granted.
    #[error("scope must be within what was granted")]
    Scope,
    /// Something is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

const CODE: &str = "code";
const REFRESH_TOKEN: &str = "refresh_token";

/// `POST /token`
pub(crate) async fn token(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let exchange = Exchange { server: &server, request_id: &request_id };
    exchange.run(&uri, &headers, body).await.unwrap_or_else(|error| refuse(&error, &request_id))
}

/// One request at the token endpoint.
struct Exchange<'a> {
    server: &'a Server,
    request_id: &'a RequestId,
}

/// A refresh token on its way out.
struct NewRefreshToken {
    plain: SecretString,
    kept: RefreshToken,
}

impl Exchange<'_> {
    async fn run(&self, uri: &Uri, headers: &HeaderMap, body: Body) -> Result<Response, TokenError> {
        let form = read_strict_form(uri, headers, body).await?;
        let client = authenticate(self.server, headers, &form).await?;
        match form.value("grant_type") {
            Some("authorization_code") => self.redeem_code(&client, &form).await,
            Some(REFRESH_TOKEN) => self.refresh(&client, &form).await,
            Some(_) => Err(TokenError::GrantType),
            None => Err(TokenError::Missing("grant_type")),
        }
    }

    async fn redeem_code(&self, client: &Client, form: &Params) -> Result<Response, TokenError> {
        let plain = form.value(CODE).ok_or(TokenError::Missing(CODE))?;
        let verifier = form.value("code_verifier").ok_or(TokenError::Missing("code_verifier"))?;
        if !is_verifier(verifier) {
            return Err(TokenError::VerifierForm);
        }
        let digest = Digest::of_text(plain);
        let found = self.server.store.code(&digest).await.map_err(Unavailable::from)?;
        let Some((code, grant)) = found.filter(|(_, grant)| grant.client_id == client.id) else {
            return Err(self.deny(Action::TokenIssue, client_party(client), CODE));
        };
        if !belongs(&code, form, verifier) {
            return Err(self.deny(Action::TokenIssue, party_of(&grant), CODE));
        }
        self.check_target(&grant, form)?;
        let now = self.server.now();
        // Everything about this request is right, so whoever sends it knows all that the client knows: the first use may
        // have been somebody else's (SEC-8).
        if code.used_at.is_some() {
            return Err(self.revoke_replayed(&grant, CODE, now).await);
        }
        if code.expires_at <= now || !self.is_in_force(&grant, client, now) {
            return Err(self.deny(Action::TokenIssue, party_of(&grant), CODE));
        }
        let access = self.access_token(&grant, &grant.scope, now)?;
        let refresh = if client.refreshes { Some(self.new_refresh_token(&grant, now)?) } else { None };
        let event = self.event(Action::TokenIssue, Outcome::Success, &grant);
        let confirm = || self.server.record(event.clone());
        let kept = refresh.as_ref().map(|token| &token.kept);
        let redeemed = self.server.store.redeem_code(&digest, kept, now, &confirm).await;
        if !redeemed.map_err(Unavailable::from)? {
            return Err(self.revoke_replayed(&grant, CODE, now).await);
        }
        Ok(answer(&access, &grant.scope, refresh.as_ref()))
    }

    async fn refresh(&self, client: &Client, form: &Params) -> Result<Response, TokenError> {
        let plain = form.value(REFRESH_TOKEN).ok_or(TokenError::Missing(REFRESH_TOKEN))?;
        if !client.refreshes {
            return Err(TokenError::NotRegisteredForRefresh);
        }
        let digest = Digest::of_text(plain);
        let found = self.server.store.refresh_token(&digest).await.map_err(Unavailable::from)?;
        let Some((token, grant)) = found.filter(|(_, grant)| grant.client_id == client.id) else {
            return Err(self.deny(Action::TokenRefresh, client_party(client), REFRESH_TOKEN));
        };
        let now = self.server.now();
        // Rotation (RFC 9700 §4.14.2): the legitimate client and a thief cannot both hold the newest one.
        if token.used_at.is_some() {
            return Err(self.revoke_replayed(&grant, REFRESH_TOKEN, now).await);
        }
        if token.expires_at <= now || !self.is_in_force(&grant, client, now) {
            return Err(self.deny(Action::TokenRefresh, party_of(&grant), REFRESH_TOKEN));
        }
        self.check_target(&grant, form)?;
        let scope = narrowed(form.value("scope"), &grant.scope)?;
        let access = self.access_token(&grant, &scope, now)?;
        let successor = self.new_refresh_token(&grant, now)?;
        let event = self.event(Action::TokenRefresh, Outcome::Success, &grant);
        let confirm = || self.server.record(event.clone());
        let rotated = self.server.store.rotate_refresh_token(&digest, &successor.kept, now, &confirm).await;
        if !rotated.map_err(Unavailable::from)? {
            return Err(self.revoke_replayed(&grant, REFRESH_TOKEN, now).await);
        }
        Ok(answer(&access, &scope, Some(&successor)))
    }

    /// Whether a grant still counts: neither revoked nor over; what it is for and who vouched for the person are still
    /// configured; and the client is still one that may receive codes here.
    fn is_in_force(&self, grant: &Grant, client: &Client, now: SystemTime) -> bool {
        let resource = self.server.config.resources.iter().any(|resource| resource.uri == grant.resource);
        let source = self.server.identity_sources.iter().any(|source| source.id() == grant.identity_source);
        let listed =
            client.redirect_uris.iter().any(|redirect| self.server.redirects.check(redirect).is_ok());
        grant.revoked_at.is_none() && grant.expires_at > now && resource && source && listed
    }

    /// RFC 8707 §2.2: the resource may be named again, never changed.
    fn check_target(&self, grant: &Grant, form: &Params) -> Result<(), TokenError> {
        let Some(requested) = form.value("resource") else { return Ok(()) };
        match self.server.config.resource(requested) {
            Some(resource) if resource.uri == grant.resource => Ok(()),
            _ => Err(TokenError::Target),
        }
    }

    fn access_token(&self, grant: &Grant, scope: &str, now: SystemTime) -> Result<AccessToken, Unavailable> {
        let subject = Subject { issuer: &self.server.config.public_url, grant, scope };
        let lifetime = self.server.config.access_lifetime;
        token::issue(&self.server.keys, self.server.randomness.as_ref(), &subject, lifetime, now)
    }

    fn new_refresh_token(&self, grant: &Grant, now: SystemTime) -> Result<NewRefreshToken, Unavailable> {
        let plain = secret(self.server.randomness.as_ref())?;
        let idle = after(now, self.server.config.refresh_idle_lifetime);
        let kept = RefreshToken {
            digest: Digest::of(&plain),
            grant_id: grant.id.clone(),
            expires_at: idle.min(grant.expires_at),
            used_at: None,
        };
        Ok(NewRefreshToken { plain, kept })
    }

    fn event(&self, action: Action, outcome: Outcome, grant: &Grant) -> Event {
        Event::new(action, outcome, Arc::new(party_of(grant)))
            .request_id(self.request_id.0.as_str())
            .target(grant.resource.as_str())
    }

    fn deny(&self, action: Action, party: Party, what: &'static str) -> TokenError {
        let event = Event::new(action, Outcome::Denied, Arc::new(party));
        self.server.record_refusal(event.request_id(self.request_id.0.as_str()).reason("invalid_grant"));
        TokenError::Grant(what)
    }

    async fn revoke_replayed(&self, grant: &Grant, what: &'static str, now: SystemTime) -> TokenError {
        let revoked = match self.server.store.revoke_grant(&grant.id, now).await {
            Ok(revoked) => revoked,
            Err(error) => return Unavailable::from(error).into(),
        };
        self.server.revocations.insert(&grant.id, now);
        let reason = if what == CODE { "code_replayed" } else { "refresh_token_replayed" };
        if revoked {
            let event = self.event(Action::TokenRevoke, Outcome::Success, grant);
            self.server.record_refusal(event.reason(reason));
        }
        TokenError::Replay(what)
    }
}

/// Whom an event concerns when the client has no grant that it may speak for.
fn client_party(client: &Client) -> Party {
    Party { client: Some(client.id.clone()), ..Party::default() }
}

/// A form, from the body only, in which nothing occurs twice.
pub(crate) async fn read_strict_form(
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Params, TokenError> {
    if uri.query().is_some() {
        return Err(TokenError::Query);
    }
    let form = read_form(headers, body).await?;
    if form.is_duplicated("resource") {
        return Err(TokenError::Target);
    }
    if form.duplicated().is_some() {
        return Err(TokenError::Duplicate);
    }
    Ok(form)
}

/// Whether a code was issued for exactly this redirect and PKCE challenge.
fn belongs(code: &Code, form: &Params, verifier: &str) -> bool {
    let redirect = match &code.redirect_uri {
        // RFC 6749 §4.1.3: identical to what the authorization request named.
        Some(named) => form.value("redirect_uri") == Some(named),
        None => true,
    };
    let proven = Digest::from_text(&code.code_challenge)
        .is_some_and(|challenge| Digest::of_text(verifier).matches(&challenge));
    redirect && proven
}

fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// The requested part of what was granted; never more (RFC 6749 §6). All of it when none is requested.
fn narrowed(requested: Option<&str>, granted: &str) -> Result<String, TokenError> {
    let requested: BTreeSet<&str> = requested
        .unwrap_or_default()
        .split(' ')
        .filter(|scope| !scope.is_empty() && *scope != OFFLINE_ACCESS)
        .collect();
    if requested.is_empty() {
        return Ok(granted.to_owned());
    }
    if requested.is_subset(&granted.split(' ').collect()) {
        Ok(requested.into_iter().collect::<Vec<_>>().join(" "))
    } else {
        Err(TokenError::Scope)
    }
}

fn answer(access: &AccessToken, scope: &str, refresh: Option<&NewRefreshToken>) -> Response {
    let mut body = json!({
        "access_token": access.token,
        "token_type": "Bearer",
        "expires_in": access.lifetime.as_secs(),
        "scope": scope,
    });
    if let (Some(refresh), Some(members)) = (refresh, body.as_object_mut()) {
        members.insert(REFRESH_TOKEN.to_owned(), json!(refresh.plain.expose_secret()));
    }
    json_no_store(StatusCode::OK, &body)
}

/// The answer for each error, here and at `/revoke`.
pub(crate) fn refuse(error: &TokenError, request_id: &RequestId) -> Response {
    tracing::info!(request_id = request_id.0, error = chain(error), "a token request was refused");
    let (status, code) = match error {
        TokenError::Body(BodyError::MediaType { .. }) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request")
        }
        TokenError::Body(BodyError::TooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request"),
        TokenError::Body(BodyError::Params(_))
        | TokenError::Query
        | TokenError::Duplicate
        | TokenError::Missing(_)
        | TokenError::VerifierForm
        | TokenError::Client(ClientError::Several) => (StatusCode::BAD_REQUEST, "invalid_request"),
        TokenError::Client(ClientError::Refused) => {
            let mut response = oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", &error.to_string());
            let challenge = HeaderValue::from_static("Basic realm=\"oauth\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return response;
        }
        TokenError::GrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        TokenError::NotRegisteredForRefresh => (StatusCode::BAD_REQUEST, "unauthorized_client"),
        TokenError::Grant(_) | TokenError::Replay(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
        TokenError::Target => (StatusCode::BAD_REQUEST, "invalid_target"),
        TokenError::Scope => (StatusCode::BAD_REQUEST, "invalid_scope"),
        TokenError::Unavailable(unavailable) | TokenError::Client(ClientError::Unavailable(unavailable)) => {
            return unavailable_json(unavailable, &request_id.0);
        }
    };
    oauth_error(status, code, &error.to_string())
}
