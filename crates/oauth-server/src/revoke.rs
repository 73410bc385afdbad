//! Revocation (RFC 7009): either token ends the whole grant.

use std::sync::Arc;

use audit::{Action, Event, Outcome};
use axum::{
    Extension,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::{
    client_authn::authenticate,
    error::Unavailable,
    exchange::{TokenError, read_strict_form, refuse},
    http_layer::RequestId,
    random::Digest,
    server::Server,
    store::{ActivityKind, Client},
};

/// `POST /revoke`
pub(crate) async fn revoke(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match try_revoke(&server, &request_id, &uri, &headers, body).await {
        // RFC 7009 §2.2: the same answer whether or not there was anything to revoke.
        Ok(()) => {
            let no_store = HeaderValue::from_static("no-store");
            (StatusCode::OK, [(header::CACHE_CONTROL, no_store)]).into_response()
        }
        Err(error) => refuse(&error, &request_id),
    }
}

async fn try_revoke(
    server: &Server,
    request_id: &RequestId,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), TokenError> {
    let form = read_strict_form(uri, headers, body).await?;
    let client = authenticate(server, headers, &form).await?;
    let token = form.value("token").ok_or(TokenError::Missing("token"))?;
    // The hint is not needed: the two kinds do not look alike.
    let Some(grant_id) = grant_of(server, &client, token).await? else { return Ok(()) };
    let now = server.now();
    let revoked = server.store.revoke_grant(&grant_id, now).await.map_err(Unavailable::from)?;
    server.revocations.insert(&grant_id, now);
    if revoked {
        let name = client.name;
        let party = audit::Party { client: Some(client.id), ..audit::Party::default() };
        let event = Event::new(Action::TokenRevoke, Outcome::Success, Arc::new(party))
            .request_id(request_id.0.as_str())
            .reason("by_client")
            .target(grant_id.as_str());
        // It is revoked either way; a client that is told 503 asks again.
        server.record(event).map_err(Unavailable::from)?;
        if let Some(grant) = server.store.grant(&grant_id).await.map_err(Unavailable::from)? {
            let person = (&grant.identity).into();
            server.note(person, ActivityKind::DisconnectedByClient, name.as_deref(), None).await;
        }
    }
    Ok(())
}

/// The grant behind a token of this client; `None` for any other token, which is not revoked and not told apart.
async fn grant_of(server: &Server, client: &Client, token: &str) -> Result<Option<String>, TokenError> {
    if let Ok(verified) = server.own_tokens.verify(token, server.now()).await {
        if verified.client_id() != Some(client.id.as_str()) {
            return Ok(None);
        }
        // It ends when the grant of the person does. That is the other client's, and its person's, to end.
        if verified.claims().contains_key("act") {
            return Err(TokenError::Delegated);
        }
        return Ok(verified.text_claim("sid").map(str::to_owned));
    }
    let found = server.store.refresh_token(&Digest::of_text(token)).await.map_err(Unavailable::from)?;
    Ok(found.filter(|(_, grant)| grant.client_id == client.id).map(|(_, grant)| grant.id))
}
