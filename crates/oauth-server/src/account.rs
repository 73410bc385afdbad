//! `/account`: what is connected in a person's name, with a way to end it.
//!
//! Everything here is about the person of the browser's session and nobody else: the identity comes from the session, and
//! every statement that changes something names it (SEC-13).

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use audit::{Action, Event, Outcome};
use axum::{body::Body, extract::State, response::Response};
use http::{StatusCode, Uri};
use url::Url;

use crate::{
    account_facts::Facts,
    body::read_form,
    caller::Caller,
    clients,
    clock::to_millis,
    error::Unavailable,
    identity::Identity,
    interaction::{PageError, see_other},
    openid,
    pages::{AccountPage, Connection, Entry, NoticePage, Scope, Standing},
    params::Params,
    server::Server,
    session::{BrowserSession, ask_to_sign_in, person_party},
    store::{ActivityKind, Client, Grant, GrantKind, Page, Person, Position},
};

/// How many grants are listed at once.
const GRANTS: usize = 25;

/// How many entries of the activity are listed.
const ENTRIES: u64 = 50;

/// `GET /account[?after=…][&done=…]`
pub(crate) async fn show(State(server): State<Arc<Server>>, caller: Caller, uri: Uri) -> Response {
    let page = try_show(&server, &caller, &uri).await;
    page.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_show(server: &Server, caller: &Caller, uri: &Uri) -> Result<Response, PageError> {
    let params = Params::parse(uri.query().unwrap_or_default()).map_err(|_| PageError::Unreadable)?;
    let Some(browser) = BrowserSession::find(server, &caller.headers).await? else {
        return ask_to_sign_in(server, Page::Account).await;
    };
    let identity = browser.identity();
    let person = Person::from(identity);
    let after = params.value("after").and_then(position);
    let mut grants = grants(server, person, after.as_ref()).await?;
    let more = (grants.len() > GRANTS).then(|| grants.get(GRANTS - 1).map(next_page)).flatten();
    grants.truncate(GRANTS);
    let clients = clients_of(server, &grants).await?;
    let activity = server.store.activity_of(person.issuer, person.subject, ENTRIES).await;
    let activity = activity.map_err(Unavailable::from)?;
    let source = server.identity_sources.iter().find(|found| found.id() == browser.session.identity_source);
    let connections = grants.iter().map(|grant| connection(server, grant, clients.get(&grant.client_id)));
    let page = AccountPage {
        brand: &server.config.brand,
        person: identity.shown(),
        source: source.map(|source| source.label()),
        notice: params.value("done").and_then(notice),
        connections: connections.collect(),
        more: more.as_deref(),
        standings: standings(server, identity),
        activity: activity
            .iter()
            .map(|entry| Entry {
                kind: entry.kind,
                at: entry.at,
                client: entry.client.as_deref(),
                device: entry.device.as_deref(),
                network: entry.network.as_deref(),
            })
            .collect(),
        portal: server.config.portal_lifetime.is_some(),
        csrf: &browser.csrf(),
        now: server.now(),
    };
    Ok(page.respond(StatusCode::OK))
}

/// One more than a page holds, to know whether there are more.
async fn grants(
    server: &Server,
    person: Person<'_>,
    after: Option<&Position>,
) -> Result<Vec<Grant>, Unavailable> {
    Ok(server.store.grants_of(person, after, GRANTS as u64 + 1, server.now()).await?)
}

/// What is known about the clients of these grants.
async fn clients_of(server: &Server, grants: &[Grant]) -> Result<BTreeMap<String, Client>, Unavailable> {
    let mut clients = BTreeMap::new();
    for grant in grants {
        if clients.contains_key(&grant.client_id) {
            continue;
        }
        match clients::find(server, &grant.client_id).await {
            Ok(Some(client)) => drop(clients.insert(grant.client_id.clone(), client)),
            // The grant is listed without the name.
            Ok(None) | Err(Unavailable::Document(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(clients)
}

fn connection<'a>(server: &'a Server, grant: &'a Grant, client: Option<&'a Client>) -> Connection<'a> {
    let resource = server.config.resources.iter().find(|resource| resource.uri == grant.resource);
    let words = |name: &'a str| {
        let known = resource.map_or(&[][..], |resource| &resource.scopes);
        Scope { name, description: openid::words(known, name) }
    };
    Connection {
        id: &grant.id,
        client_name: match grant.kind {
            GrantKind::Portal => Some("A token that you took"),
            _ => client.and_then(|client| client.name.as_deref()),
        },
        id_host: Url::parse(&grant.client_id).ok().and_then(|url| url.host_str().map(str::to_owned)),
        service: resource.map_or(grant.resource.as_str(), |resource| resource.name.as_str()),
        device: grant.device.as_deref(),
        since: grant.authenticated_at,
        last_used: grant.last_used_at,
        expires: grant.expires_at,
        // The tokens of this grant say what the identity provider said then.
        role: facts(server, &grant.identity, &grant.resource).map(|facts| match facts {
            Facts::Served { role, .. } => Ok(role),
            Facts::NotServed { reason } => Err(reason),
        }),
        scopes: grant.scope.split(' ').filter(|scope| !scope.is_empty()).map(words).collect(),
    }
}

fn standings<'a>(server: &'a Server, identity: &Identity) -> Vec<Standing<'a>> {
    let of = |resource: &'a crate::config::Resource| {
        let facts = facts(server, identity, &resource.uri)?;
        Some(Standing { service: &resource.name, facts })
    };
    server.config.resources.iter().filter_map(of).collect()
}

fn facts(server: &Server, identity: &Identity, resource: &str) -> Option<Facts> {
    Some(server.account_facts.as_ref()?.facts(identity, resource))
}

/// What was just done, by a word of ours.
fn notice(done: &str) -> Option<&'static str> {
    match done {
        "disconnected" => Some("The application was disconnected. It cannot act for you any more."),
        "all" => Some("Everything was disconnected. Nothing acts for you any more."),
        _ => None,
    }
}

fn next_page(last: &Grant) -> String {
    format!("/account?after={}.{}", to_millis(last.authenticated_at), last.id)
}

fn position(text: &str) -> Option<Position> {
    let (millis, id) = text.split_once('.')?;
    let authenticated_at = UNIX_EPOCH.checked_add(Duration::from_millis(millis.parse().ok()?))?;
    Some(Position { authenticated_at, id: id.to_owned() })
}

/// `POST /account/revoke`
pub(crate) async fn revoke(State(server): State<Arc<Server>>, caller: Caller, body: Body) -> Response {
    let revoked = try_revoke(&server, &caller, body).await;
    revoked.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_revoke(server: &Server, caller: &Caller, body: Body) -> Result<Response, PageError> {
    let form = read_form(&caller.headers, body).await.map_err(PageError::Body)?;
    let browser = BrowserSession::of_form(server, &caller.headers, &form).await?;
    // The gateway learns of it at once (SEC-22), other replicas from the store.
    let done = match (form.value("decision"), form.value("grant")) {
        (Some("disconnect-all"), None) => revoke_all(server, caller, browser.identity()).await?,
        (Some("disconnect"), Some(id)) => revoke_one(server, caller, browser.identity(), id).await?,
        _ => return Err(PageError::Forged),
    };
    Ok(see_other(&format!("/account?done={done}"), None))
}

async fn revoke_one(
    server: &Server,
    caller: &Caller,
    identity: &Identity,
    id: &str,
) -> Result<&'static str, Unavailable> {
    let (person, now) = (Person::from(identity), server.now());
    let confirm = || server.record(revocation(caller, identity).target(id));
    // What is nobody's, somebody else's or over already is answered alike: it does not act for this person.
    if let Some(grant) = server.store.revoke_grant_of(person, id, now, &confirm).await? {
        server.revocations.insert(&grant.id, now);
        let clients = clients_of(server, std::slice::from_ref(&grant)).await?;
        let name = clients.get(&grant.client_id).and_then(|client| client.name.as_deref());
        server.note(person, ActivityKind::Disconnected, name, Some(caller)).await;
    }
    Ok("disconnected")
}

async fn revoke_all(
    server: &Server,
    caller: &Caller,
    identity: &Identity,
) -> Result<&'static str, Unavailable> {
    let (person, now) = (Person::from(identity), server.now());
    let confirm = || server.record(revocation(caller, identity).target("everything"));
    let revoked = server.store.revoke_grants_of(person, now, &confirm).await?;
    for id in &revoked {
        server.revocations.insert(id, now);
    }
    if !revoked.is_empty() {
        server.note(person, ActivityKind::AllDisconnected, None, Some(caller)).await;
    }
    Ok("all")
}

fn revocation(caller: &Caller, identity: &Identity) -> Event {
    Event::new(Action::TokenRevoke, Outcome::Success, Arc::new(person_party(identity)))
        .request_id(caller.request_id.0.as_str())
        .reason("by_person")
}

/// `POST /account/sign-out`
pub(crate) async fn sign_out(State(server): State<Arc<Server>>, caller: Caller, body: Body) -> Response {
    let signed_out = try_sign_out(&server, &caller, body).await;
    signed_out.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_sign_out(server: &Server, caller: &Caller, body: Body) -> Result<Response, PageError> {
    let form = read_form(&caller.headers, body).await.map_err(PageError::Body)?;
    let browser = BrowserSession::of_form(server, &caller.headers, &form).await?;
    browser.end(server, caller, see_other("/signed-out", None)).await
}

/// `GET /signed-out`
pub(crate) async fn signed_out(State(server): State<Arc<Server>>) -> Response {
    let page = NoticePage {
        brand: &server.config.brand,
        title: "You are signed out",
        text: "This browser is not signed in any more. What is connected in your name stays connected.",
        link: Some(("Sign in again", "/account")),
    };
    page.respond(StatusCode::OK)
}
