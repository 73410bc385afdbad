//! Consent: asked at every authorization, before the browser goes to an identity provider.
//!
//! A broker with one client at its identity provider must ask first: otherwise a provider that remembers the person
//! would sign them in for a client they never saw. Who the person is, is not known yet; what they allow holds for whoever
//! then signs in, in this browser only. Only after consent does the browser get the cookie that sign-in is bound to.

use std::sync::Arc;

use audit::{Action, Outcome};
use axum::{Extension, body::Body, extract::State, response::Response};
use connect_hosts::AllowedRedirect;
use http::{HeaderMap, StatusCode, Uri};

use crate::{
    body::read_form,
    client_documents,
    config::Resource,
    cookies,
    error::Unavailable,
    http_layer::RequestId,
    interaction::{Asked, Opened, PageError, resource, see_other},
    openid,
    pages::{self, ConsentPage, Destination, DeviceConfirmPage, Form},
    params::Params,
    random::{Digest, secret},
    server::Server,
    store::{Client, CodeRequest, DeviceRequest, GrantType, Stage},
};

/// `GET /consent?interaction=…`
pub(crate) async fn ask(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let page = show(&server, &uri, &headers).await;
    page.unwrap_or_else(|error| error.respond(&server, &request_id))
}

async fn show(server: &Server, uri: &Uri, headers: &HeaderMap) -> Result<Response, PageError> {
    let params = Params::parse(uri.query().unwrap_or_default()).map_err(|_| PageError::Unreadable)?;
    let id = params.value("interaction").ok_or(PageError::NoInteraction)?;
    let opened = Opened::find(server, headers, id, Stage::Consent).await?;
    match &opened.asked {
        Asked::Code { client, to, request } => ask_for_code(server, &opened, (client, to, request)),
        Asked::Device { client, request } => ask_for_device(server, &opened, client, request),
        Asked::Page(_) => Err(PageError::NoInteraction),
    }
}

fn ask_for_code(
    server: &Server,
    opened: &Opened,
    (client, to, request): (&Client, &AllowedRedirect, &CodeRequest),
) -> Result<Response, PageError> {
    let resource = resource(server, &request.resource)?;
    let csrf = opened.csrf();
    let id_host = client_documents::host_of(client);
    let page = ConsentPage {
        brand: &server.config.brand,
        client: pages::Client {
            name: client.name.as_deref(),
            id_host: id_host.as_deref(),
            destination: destination(to),
        },
        service: &resource.name,
        scopes: &scopes(resource, &request.scope),
        renewable_for: client.may(GrantType::RefreshToken).then_some(server.config.refresh_absolute_lifetime),
        person: None,
        form: Form {
            action: "/consent",
            hidden: &[("interaction", opened.interaction.id.as_str()), ("csrf", csrf.as_str())],
        },
    };
    Ok(page.respond(StatusCode::OK))
}

fn ask_for_device(
    server: &Server,
    opened: &Opened,
    client: &Client,
    request: &DeviceRequest,
) -> Result<Response, PageError> {
    let resource = resource(server, &request.resource)?;
    let csrf = opened.csrf();
    let id_host = client_documents::host_of(client);
    let page = DeviceConfirmPage {
        brand: &server.config.brand,
        client: pages::Client {
            name: client.name.as_deref(),
            id_host: id_host.as_deref(),
            destination: Destination::OtherDevice,
        },
        service: &resource.name,
        scopes: &scopes(resource, &request.scope),
        user_code: &request.user_code,
        requester: request.requester.as_deref(),
        device: None,
        form: Form {
            action: "/consent",
            hidden: &[("interaction", opened.interaction.id.as_str()), ("csrf", csrf.as_str())],
        },
    };
    Ok(page.respond(StatusCode::OK))
}

/// What is granted, for the page.
fn scopes<'a>(resource: &'a Resource, granted: &'a str) -> Vec<pages::Scope<'a>> {
    let scope = |name: &'a str| pages::Scope { name, description: openid::words(&resource.scopes, name) };
    granted.split(' ').map(scope).collect()
}

fn destination(to: &AllowedRedirect) -> Destination<'_> {
    match to.host() {
        _ if to.is_loopback() => Destination::ThisComputer,
        Some(host) if to.scheme() == "https" => Destination::Web(host),
        _ => Destination::App(to.scheme()),
    }
}

/// `POST /consent`
pub(crate) async fn decide(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let decided = act(&server, &request_id, &headers, body).await;
    decided.unwrap_or_else(|error| error.respond(&server, &request_id))
}

async fn act(
    server: &Server,
    request_id: &RequestId,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, PageError> {
    let form = read_form(headers, body).await.map_err(PageError::Body)?;
    let opened = Opened::of_form(server, headers, &form, Stage::Consent).await?;
    // Anything but a clear yes is a no.
    if form.value("decision") != Some("allow") {
        return opened.cancel(server, request_id, Action::Consent, "cancelled").await;
    }
    let cookie = secret(server.randomness.as_ref()).map_err(Unavailable::from)?;
    let event = opened.event(Action::Consent, Outcome::Success, request_id);
    let confirm = || server.record(event.clone());
    let id = opened.interaction.id.as_str();
    let approved = server
        .store
        .approve_interaction(id, &opened.interaction.cookie, &Digest::of(&cookie), server.now(), &confirm)
        .await
        .map_err(Unavailable::from)?;
    if !approved {
        return Err(PageError::NoInteraction);
    }
    let set_cookie = cookies::set(&server.config, Stage::SignIn, id, &cookie);
    let mut response = see_other(&format!("/sign-in?interaction={id}"), set_cookie);
    opened.clear_cookie(server, &mut response);
    Ok(response)
}
