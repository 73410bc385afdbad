//! A client reads, changes and deletes its own registration (RFC 7592).
//!
//! The token of a registration opens that registration and no other. It is replaced with every change.

use std::sync::Arc;

use audit::{Action, Event, Outcome, Party};
use axum::{
    Extension,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{
    MAX_BODY, RegisterError,
    admission::bearer,
    answer::{Told, answer},
    metadata::{Accepted, metadata_error, parse},
    record_refusal, refuse,
};
use crate::{
    body::read,
    client_address::ClientAddress,
    error::{Unavailable, json_no_store},
    http_layer::RequestId,
    random::{Digest, secret},
    server::Server,
    store::{Client, ClientOrigin},
};

/// `GET /register/{client_id}`
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    match opened(&server, &id_of(id), &headers).await {
        Ok((client, token)) => {
            let told = Told { token, ..Told::default() };
            json_no_store(StatusCode::OK, &answer(&server, &client, &told))
        }
        Err(error) => refuse(&error, &request_id),
    }
}

/// `PUT /register/{client_id}`
pub(crate) async fn change(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    address: Option<Extension<ClientAddress>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let address = address.map(|Extension(address)| address);
    match try_change(&server, &request_id, address, &id_of(id), &headers, body).await {
        Ok(answer) => json_no_store(StatusCode::OK, &answer),
        Err(error) => {
            record_refusal(&server, &request_id, &error);
            refuse(&error, &request_id)
        }
    }
}

/// `DELETE /register/{client_id}`
pub(crate) async fn delete(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    match try_delete(&server, &request_id, &id_of(id), &headers).await {
        Ok(()) => {
            let no_store = HeaderValue::from_static("no-store");
            (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, no_store)]).into_response()
        }
        Err(error) => refuse(&error, &request_id),
    }
}

/// What cannot be read names nobody.
fn id_of(path: Result<Path<String>, PathRejection>) -> String {
    path.map(|Path(id)| id).unwrap_or_default()
}

/// The client whose registration the request's token opens. Whether there is such a client is not told.
async fn opened<'h>(
    server: &Server,
    id: &str,
    headers: &'h HeaderMap,
) -> Result<(Client, &'h str), RegisterError> {
    let token = bearer(headers).ok_or(RegisterError::Token)?;
    let client = server.store.client(id).await.map_err(Unavailable::from)?;
    let opens = |client: &Client| {
        let digest = client.registration_token.filter(|_| client.origin == ClientOrigin::Dynamic);
        digest.is_some_and(|digest| Digest::of_text(token).matches(&digest))
    };
    let client = client.filter(opens).ok_or(RegisterError::Token)?;
    Ok((client, token))
}

async fn try_change(
    server: &Server,
    request_id: &RequestId,
    address: Option<ClientAddress>,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Value, RegisterError> {
    server.admission.count(address).map_err(RegisterError::TooOften)?;
    let (before, _) = opened(server, id, headers).await?;
    let metadata = parse(&read(headers, body, "application/json", MAX_BODY).await?)?;
    // RFC 7592 §2.2: the identifier must be repeated, the secret may be.
    if metadata.client_id.as_deref() != Some(id) {
        return Err(metadata_error("client_id", "must be that of the registration"));
    }
    if let Some(secret) = &metadata.client_secret {
        let current = before.authentication.secret_digest();
        if !current.is_some_and(|digest| Digest::of_text(secret).matches(&digest)) {
            return Err(metadata_error("client_secret", "must be the present one, or absent"));
        }
    }
    let accepted = Accepted::check(server, metadata)?;
    server.admission.check_change(&accepted.redirect_uris, &before.redirect_uris)?;
    let (after, dropped, new_secret) = accepted.apply(server, before.clone())?;
    let token = secret(server.randomness.as_ref()).map_err(Unavailable::from)?;
    let after = Client { registration_token: Some(Digest::of(&token)), ..after };
    let event = event(request_id, &after, "changed").target(after.redirect_uris.join(" "));
    let confirm = || server.record(event.clone());
    let replaced = server.store.replace_client(&before, &after, &confirm).await;
    if !replaced.map_err(Unavailable::from)? {
        // Somebody else used the same token first.
        return Err(RegisterError::Token);
    }
    let told = Told { token: token.expose_secret(), secret: new_secret.as_ref(), dropped: &dropped };
    Ok(answer(server, &after, &told))
}

async fn try_delete(
    server: &Server,
    request_id: &RequestId,
    id: &str,
    headers: &HeaderMap,
) -> Result<(), RegisterError> {
    let (client, _) = opened(server, id, headers).await?;
    let event = event(request_id, &client, "deleted");
    let confirm = || server.record(event.clone());
    let now = server.now();
    let removed = server.store.remove_client(&client, now, &confirm).await.map_err(Unavailable::from)?;
    for grant in removed.ok_or(RegisterError::Token)? {
        server.revocations.insert(&grant, now);
    }
    Ok(())
}

fn event(request_id: &RequestId, client: &Client, reason: &'static str) -> Event {
    let party = Party { client: Some(client.id.clone()), ..Party::default() };
    Event::new(Action::Registration, Outcome::Success, Arc::new(party))
        .request_id(request_id.0.as_str())
        .reason(reason)
}
