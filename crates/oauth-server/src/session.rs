//! Sessions of people in browsers, for the pages about their own account.
//!
//! A session begins with a sign-in of its own and is good for these pages only: at `/authorize` it replaces neither
//! consent nor the identity provider. Every sign-in makes a new cookie and ends the session that the browser had, so that
//! nobody can plant one (SEC-13).

use std::sync::Arc;

use audit::{Action, Event, Outcome, Party};
use axum::response::Response;
use http::{HeaderMap, header};
use secrecy::SecretString;

use crate::{
    caller::Caller,
    clock::after,
    cookies,
    error::Unavailable,
    identity::Identity,
    interaction::{Opened, PageError, begin, see_other},
    params::Params,
    random::{Digest, same, secret},
    server::Server,
    sign_in::SignedIn,
    store::{ActivityKind, NewSession, Page, Person, Purpose, Session},
};

/// How often it is written down that a browser is still here.
const TOUCH_INTERVAL: std::time::Duration = std::time::Duration::from_mins(1);

impl Page {
    /// Where the page is.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Account => "/account",
            Self::Portal => "/portal",
        }
    }
}

/// A person who is signed in in this browser.
pub(crate) struct BrowserSession {
    pub(crate) session: Session,
    cookie: SecretString,
}

impl BrowserSession {
    /// The session that this browser has, if it has one that is not over.
    pub(crate) async fn find(server: &Server, headers: &HeaderMap) -> Result<Option<Self>, Unavailable> {
        let Some(cookie) = cookies::session(&server.config, headers) else { return Ok(None) };
        let found = server.store.session(&Digest::of(&cookie)).await?;
        let now = server.now();
        let known = |id: &str| server.identity_sources.iter().any(|source| source.id() == id);
        let found = found.filter(|found| found.expires_at > now && known(&found.identity_source));
        let Some(session) = found else { return Ok(None) };
        if after(session.last_seen_at, TOUCH_INTERVAL) <= now {
            let last = after(session.created_at, server.config.session_absolute_lifetime);
            let idle = after(now, server.config.session_idle_lifetime);
            server.store.touch_session(&session.cookie, now, idle.min(last)).await?;
        }
        Ok(Some(Self { session, cookie }))
    }

    /// The session of this browser, if the posted form was made for it (SEC-13).
    pub(crate) async fn of_form(
        server: &Server,
        headers: &HeaderMap,
        form: &Params,
    ) -> Result<Self, PageError> {
        let found = Self::find(server, headers).await?.ok_or(PageError::NoSession)?;
        let csrf = form.value("csrf").unwrap_or_default();
        if same(csrf, &found.csrf()) { Ok(found) } else { Err(PageError::Forged) }
    }

    /// The anti-forgery value of the forms of this session.
    pub(crate) fn csrf(&self) -> String {
        cookies::derive("csrf", "session", &self.cookie)
    }

    /// What the values of its forms are made from.
    pub(crate) fn cookie(&self) -> &SecretString {
        &self.cookie
    }

    /// Who it is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.session.identity
    }

    /// Ends it, here and in the browser.
    pub(crate) async fn end(
        &self,
        server: &Server,
        caller: &Caller,
        mut response: Response,
    ) -> Result<Response, PageError> {
        let event = Event::new(Action::Logout, Outcome::Success, Arc::new(person_party(self.identity())))
            .request_id(caller.request_id.0.as_str());
        let confirm = || server.record(event.clone());
        server.store.end_session(&self.session.cookie, &confirm).await.map_err(Unavailable::from)?;
        if let Some(cleared) = cookies::clear_session(&server.config) {
            response.headers_mut().append(header::SET_COOKIE, cleared);
        }
        Ok(response)
    }
}

/// Has the person sign in and come back to this page. There is nothing to consent to: no client takes part.
pub(crate) async fn ask_to_sign_in(server: &Server, page: Page) -> Result<Response, PageError> {
    Ok(begin(server, Purpose::Page(page)).await?)
}

/// Exchanges the interaction for a session and sends the browser to the page.
pub(crate) async fn start(
    server: &Server,
    caller: &Caller,
    opened: &Opened,
    page: Page,
    signed_in: SignedIn,
) -> Result<Response, PageError> {
    let now = server.now();
    let cookie = secret(server.randomness.as_ref()).map_err(Unavailable::from)?;
    let session = Session {
        cookie: Digest::of(&cookie),
        identity: signed_in.identity,
        identity_source: signed_in.source,
        upstream_session: signed_in.session,
        created_at: now,
        last_seen_at: now,
        expires_at: after(now, server.config.session_idle_lifetime),
    };
    let replaced = cookies::session(&server.config, &caller.headers).map(|cookie| Digest::of(&cookie));
    let started =
        NewSession { session: &session, replaces: replaced.as_ref(), capacity: server.config.max_sessions };
    let mut event = opened.event(Action::Login, Outcome::Success, &caller.request_id);
    event.party = Arc::new(person_party(&session.identity));
    let confirm = || server.record(event.clone());
    let interaction = &opened.interaction;
    let completed = server
        .store
        .complete_page(&interaction.id, &interaction.cookie, &started, now, &confirm)
        .await
        .map_err(Unavailable::from)?;
    if !completed {
        return Err(PageError::NoInteraction);
    }
    server.note(Person::from(&session.identity), ActivityKind::SignedIn, None, Some(caller)).await;
    let mut response = see_other(page.path(), cookies::set_session(&server.config, &cookie));
    opened.clear_cookie(server, &mut response);
    Ok(response)
}

/// Whom an event concerns that no client takes part in.
pub(crate) fn person_party(identity: &Identity) -> Party {
    Party {
        issuer: Some(identity.issuer.clone()),
        subject: Some(identity.subject.clone()),
        tenant: identity.tenant.clone(),
        ..Party::default()
    }
}
