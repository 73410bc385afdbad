//! `/device`: where a person types the code that a device shows, and how that ends (RFC 8628 §3.3).
//!
//! The code only opens the question; consent and sign-in follow as for any client, bound to this browser. Nothing is let in
//! by a link alone (SEC-37).

use std::sync::Arc;

use audit::{Action, Event, Outcome};
use axum::{Extension, body::Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode, Uri};

use super::{is_allowed, user_code::UserCode};
use crate::{
    body::read_form,
    client_address::ClientAddress,
    clients,
    config::DeviceClients,
    error::Unavailable,
    http_layer::RequestId,
    interaction::{self, Opened, PageError},
    pages::{DeviceCodePage, DevicePage, Form},
    params::Params,
    server::Server,
    sign_in::party_of,
    store::{Client, DeviceCode, DeviceRequest, DeviceState, Grant, Purpose},
};

const USER_CODE: &str = "user_code";

/// `GET /device[?user_code=…]`
pub(crate) async fn ask(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    address: Option<Extension<ClientAddress>>,
    uri: Uri,
) -> Response {
    let address = address.map(|Extension(address)| address);
    let asked = match Params::parse(uri.query().unwrap_or_default()) {
        Ok(params) => match params.value(USER_CODE) {
            Some(typed) => open(&server, &request_id, address, typed).await,
            None => code_page(&server, false),
        },
        Err(_) => Err(PageError::Unreadable),
    };
    asked.unwrap_or_else(|error| error.respond(&server, &request_id))
}

/// `POST /device`
pub(crate) async fn submit(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let address = address.map(|Extension(address)| address);
    let submitted = match read_form(&headers, body).await {
        Ok(form) => open(&server, &request_id, address, form.value(USER_CODE).unwrap_or_default()).await,
        Err(error) => Err(PageError::Body(error)),
    };
    submitted.unwrap_or_else(|error| error.respond(&server, &request_id))
}

fn code_page(server: &Server, failed: bool) -> Result<Response, PageError> {
    if server.config.device_clients == DeviceClients::Off {
        return Err(PageError::NoDevices);
    }
    let form = Form { action: "/device", hidden: &[] };
    let status = if failed { StatusCode::FORBIDDEN } else { StatusCode::OK };
    Ok(DeviceCodePage { brand: &server.config.brand, form, failed }.respond(status))
}

/// Begins an interaction for the code, if it waits. What is wrong with one that does not, is not told.
async fn open(
    server: &Server,
    request_id: &RequestId,
    address: Option<ClientAddress>,
    typed: &str,
) -> Result<Response, PageError> {
    let now = server.now();
    if let Err(limited) = server.device_attempts.check(address, now) {
        let event = Event::new(Action::DeviceAuthorization, Outcome::Denied, Arc::default());
        server.record_refusal(event.request_id(request_id.0.as_str()).reason("too_many_attempts"));
        return Err(limited.into());
    }
    if let Some(request) = waiting(server, address, typed).await? {
        return Ok(interaction::begin(server, Purpose::Device(request)).await?);
    }
    server.device_attempts.wrong(now);
    let event = Event::new(Action::DeviceAuthorization, Outcome::Denied, Arc::default());
    server.record_refusal(event.request_id(request_id.0.as_str()).reason("unknown_user_code"));
    code_page(server, true)
}

async fn waiting(
    server: &Server,
    address: Option<ClientAddress>,
    typed: &str,
) -> Result<Option<DeviceRequest>, PageError> {
    let Some(user_code) = UserCode::typed(typed) else { return Ok(None) };
    let found = server.store.device_by_user_code(&user_code.digest(&server.secret)).await;
    let waits = |found: &DeviceCode| found.state == DeviceState::Waiting && found.expires_at > server.now();
    let Some(device) = found.map_err(Unavailable::from)?.filter(waits) else { return Ok(None) };
    let client = match clients::find_to_ask(server, &device.client_id, address).await {
        Ok(client) if is_allowed(server, &client) => client,
        Ok(_) | Err(PageError::UnknownClient) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(DeviceRequest {
        device: device.digest,
        user_code: user_code.to_string(),
        client_id: device.client_id,
        resource: device.resource,
        scope: device.scope,
        requester: device.requester,
        client_fingerprint: client.fingerprint(),
    }))
}

/// Lets the device in, as the person who has just signed in.
pub(crate) async fn approve(
    server: &Server,
    request_id: &RequestId,
    opened: &Opened,
    (client, request): (&Client, &DeviceRequest),
    grant: &Grant,
) -> Result<Response, PageError> {
    let mut event = opened.event(Action::Login, Outcome::Success, request_id);
    event.party = Arc::new(party_of(grant));
    let confirm = || server.record(event.clone());
    let interaction = (opened.interaction.id.as_str(), &opened.interaction.cookie);
    let now = grant.authenticated_at;
    let approved = server.store.approve_device(interaction, &request.device, grant, now, &confirm).await;
    if !approved.map_err(Unavailable::from)? {
        return Err(PageError::NoInteraction);
    }
    Ok(end(server, opened, client, true))
}

/// Ends the device code, because the person or their identity provider said no.
pub(crate) async fn deny(
    server: &Server,
    opened: &Opened,
    (client, request): (&Client, &DeviceRequest),
    event: &Event,
) -> Result<Response, PageError> {
    let confirm = || server.record(event.clone());
    let interaction = (opened.interaction.id.as_str(), &opened.interaction.cookie);
    let denied = server.store.deny_device(interaction, &request.device, &confirm).await;
    if !denied.map_err(Unavailable::from)? {
        return Err(PageError::NoInteraction);
    }
    Ok(end(server, opened, client, false))
}

fn end(server: &Server, opened: &Opened, client: &Client, connected: bool) -> Response {
    let page = DevicePage { brand: &server.config.brand, client_name: client.name.as_deref(), connected };
    let mut response = page.respond();
    opened.clear_cookie(server, &mut response);
    response
}
