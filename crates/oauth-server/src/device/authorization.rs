//! `POST /device_authorization` (RFC 8628 §3.1).

use std::{sync::Arc, time::Duration};

use audit::{Action, Event, Outcome, Party};
use axum::{Extension, body::Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode, Uri};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{is_allowed, user_code::UserCode};
use crate::{
    authorize::granted_scope,
    client_address::ClientAddress,
    client_authn::authenticate,
    clock::after,
    error::{Unavailable, json_no_store},
    exchange::{TokenError, read_strict_form, refuse},
    http_layer::RequestId,
    random::{Digest, secret},
    server::Server,
    store::{Client, ClientAuthentication, DeviceCode, DeviceState, GrantType},
};

/// How long a client waits between two requests (RFC 8628 §3.2).
const INTERVAL: Duration = Duration::from_secs(5);

/// How often a taken user code is replaced by another. With 10 000 of 20^8 taken, once is rare.
const TRIES: usize = 4;

/// `POST /device_authorization`
pub(crate) async fn authorize(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    address: Option<Extension<ClientAddress>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let address = address.map(|Extension(address)| address);
    let authorized = try_authorize(&server, &request_id, address, &uri, &headers, body).await;
    authorized.unwrap_or_else(|error| refuse(&error, &request_id))
}

async fn try_authorize(
    server: &Server,
    request_id: &RequestId,
    address: Option<ClientAddress>,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, TokenError> {
    let form = read_strict_form(uri, headers, body).await?;
    let client = authenticate(server, headers, &form).await?;
    if !is_allowed(server, &client) {
        return Err(TokenError::NotRegistered(GrantType::DeviceCode));
    }
    // Anybody can say that they are a public client.
    if client.authentication == ClientAuthentication::None {
        server.device_attempts.begin(address)?;
    }
    let resource = match form.value("resource") {
        Some(requested) => server.config.resource(requested).ok_or(TokenError::UnknownTarget)?,
        None => server.config.single_resource().ok_or(TokenError::Missing("resource"))?,
    };
    let scope = granted_scope(form.value("scope"), resource).map_err(|_| TokenError::UnknownScope)?;
    let plain = secret(server.randomness.as_ref()).map_err(Unavailable::from)?;
    let waiting = |user_code: &UserCode| DeviceCode {
        digest: Digest::of(&plain),
        user_code: user_code.digest(&server.secret),
        client_id: client.id.clone(),
        resource: resource.uri.clone(),
        scope: scope.clone(),
        requester: address.map(|address| address.0.to_canonical().to_string()),
        state: DeviceState::Waiting,
        grant_id: None,
        interval: INTERVAL,
        polled_at: None,
        expires_at: after(server.now(), server.config.device_lifetime),
    };
    for _ in 0..TRIES {
        let user_code = UserCode::random(server.randomness.as_ref()).map_err(Unavailable::from)?;
        let device = waiting(&user_code);
        let event = event(&client, request_id).target(device.resource.as_str());
        let confirm = || server.record(event.clone());
        let kept = server.store.insert_device(&device, server.config.max_device_codes, &confirm).await;
        if kept.map_err(Unavailable::from)? {
            return Ok(answer(server, plain.expose_secret(), &user_code));
        }
    }
    Err(TokenError::Full)
}

fn event(client: &Client, request_id: &RequestId) -> Event {
    let party = Party { client: Some(client.id.clone()), ..Party::default() };
    Event::new(Action::DeviceAuthorization, Outcome::Success, Arc::new(party))
        .request_id(request_id.0.as_str())
}

/// RFC 8628 §3.2.
fn answer(server: &Server, device_code: &str, user_code: &UserCode) -> Response {
    let uri = server.config.url_of("/device");
    let answer = json!({
        "device_code": device_code,
        "user_code": user_code.to_string(),
        "verification_uri": uri,
        "verification_uri_complete": format!("{uri}?user_code={user_code}"),
        "expires_in": server.config.device_lifetime.as_secs(),
        "interval": INTERVAL.as_secs(),
    });
    json_no_store(StatusCode::OK, &answer)
}
