//! `/portal`: a person takes a short-lived access token for one resource, for a program that cannot sign them in.
//!
//! Off unless configured. The token is shown once, in the answer to the form that asked for it, and there is no refresh
//! token (SEC-63). A form counts once, so that sending the page again shows nothing again. The grant is listed and ended
//! at `/account` like any other.

use std::{num::NonZeroU32, sync::Arc};

use audit::{Action, Event, Outcome};
use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use secrecy::SecretString;

use crate::{
    account_facts::Facts,
    body::read_form,
    caller::Caller,
    clock::after,
    config::Resource,
    cookies,
    error::Unavailable,
    identity::Identity,
    interaction::{PageError, see_other},
    pages::{PortalChoice, PortalPage, TokenPage},
    params::Params,
    random::{identifier, same},
    server::Server,
    session::{BrowserSession, ask_to_sign_in},
    sign_in::party_of,
    store::{ActivityKind, Grant, GrantKind, Page, Person, UsedAssertion},
    token::{self, Subject},
};

/// The `client_id` of tokens that a person took. No client has it: those that register get a random one.
pub(crate) const PORTAL_CLIENT: &str = "connect-portal";

/// How many tokens a person may take in a minute.
pub(crate) const TOKENS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// `GET /portal`
pub(crate) async fn show(State(server): State<Arc<Server>>, caller: Caller) -> Response {
    let page = try_show(&server, &caller).await;
    page.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_show(server: &Server, caller: &Caller) -> Result<Response, PageError> {
    let lifetime = server.config.portal_lifetime.ok_or(PageError::NoPortal)?;
    let Some(browser) = BrowserSession::find(server, &caller.headers).await? else {
        return ask_to_sign_in(server, Page::Portal).await;
    };
    let identity = browser.identity();
    let once = identifier(server.randomness.as_ref()).map_err(Unavailable::from)?;
    let choices = server.config.resources.iter().map(|resource| PortalChoice {
        resource: &resource.uri,
        service: &resource.name,
        refusal: refusal(server, identity, resource),
    });
    let page = PortalPage {
        brand: &server.config.brand,
        person: identity.shown(),
        lifetime,
        choices: choices.collect(),
        csrf: &csrf(&browser, &once),
        once: &once,
    };
    Ok(page.respond(StatusCode::OK))
}

/// Why the services would not serve the person.
fn refusal(server: &Server, identity: &Identity, resource: &Resource) -> Option<String> {
    match server.account_facts.as_ref()?.facts(identity, &resource.uri) {
        Facts::Served { .. } => None,
        Facts::NotServed { reason } => Some(reason),
    }
}

/// The anti-forgery value of one form.
fn csrf(browser: &BrowserSession, once: &str) -> String {
    cookies::derive("portal", once, browser.cookie())
}

/// `POST /portal`
pub(crate) async fn take(State(server): State<Arc<Server>>, caller: Caller, body: Body) -> Response {
    let taken = try_take(&server, &caller, body).await;
    taken.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_take(server: &Server, caller: &Caller, body: Body) -> Result<Response, PageError> {
    let lifetime = server.config.portal_lifetime.ok_or(PageError::NoPortal)?;
    let form = read_form(&caller.headers, body).await.map_err(PageError::Body)?;
    let (browser, once) = of_form(server, caller, &form).await?;
    let identity = browser.identity();
    server.portal_tokens.check(&format!("{} {}", identity.issuer, identity.subject))?;
    let chosen =
        form.value("resource").and_then(|uri| server.config.resources.iter().find(|found| found.uri == uri));
    // Nothing was chosen: ask again.
    let Some(resource) = chosen else { return Ok(see_other("/portal", None)) };
    let now = server.now();
    let scopes: Vec<&str> = resource.scopes.iter().map(|scope| scope.name.as_str()).collect();
    let grant = Grant {
        id: identifier(server.randomness.as_ref()).map_err(Unavailable::from)?,
        client_id: PORTAL_CLIENT.to_owned(),
        identity: identity.clone(),
        identity_source: browser.session.identity_source.clone(),
        resource: resource.uri.clone(),
        scope: scopes.join(" "),
        authenticated_at: browser.session.created_at,
        expires_at: after(now, lifetime),
        revoked_at: None,
        kind: GrantKind::Portal,
        last_used_at: Some(now),
        dpop_jkt: None,
        device: caller.device(),
        upstream_session: browser.session.upstream_session.clone(),
        client_fingerprint: None,
    };
    let subject = Subject {
        issuer: &server.config.public_url,
        grant: &grant,
        scope: &grant.scope,
        delegation: None,
        holder: None,
    };
    let access = token::issue(&server.keys, server.randomness.as_ref(), &subject, lifetime, now)?;
    let event = Event::new(Action::TokenIssue, Outcome::Success, Arc::new(party_of(&grant)))
        .request_id(caller.request_id.0.as_str())
        .target(resource.uri.as_str())
        .reason("portal");
    let confirm = || server.record(event.clone());
    // A form outlives no session.
    let expires_at = after(now, server.config.session_absolute_lifetime);
    let once = UsedAssertion { key: server.secret.derive("portal form", &[once.as_bytes()]), expires_at };
    let kept = server.store.insert_grant(&grant, Some(&once), now, &confirm).await;
    if !kept.map_err(Unavailable::from)? {
        // Shown before.
        return Ok(see_other("/portal", None));
    }
    server.note(Person::from(identity), ActivityKind::TokenTaken, Some(&resource.name), Some(caller)).await;
    let page = TokenPage {
        brand: &server.config.brand,
        token: &SecretString::from(access.token),
        service: &resource.name,
        resource: &resource.uri,
        expires: grant.expires_at,
    };
    Ok(page.respond(StatusCode::OK))
}

/// The session of a form that was made for it, and the value by which the form counts once.
async fn of_form<'a>(
    server: &Server,
    caller: &Caller,
    form: &'a Params,
) -> Result<(BrowserSession, &'a str), PageError> {
    let browser = BrowserSession::find(server, &caller.headers).await?.ok_or(PageError::NoSession)?;
    let once = form.value("once").ok_or(PageError::Forged)?;
    let given = form.value("csrf").unwrap_or_default();
    if same(given, &csrf(&browser, once)) { Ok((browser, once)) } else { Err(PageError::Forged) }
}
