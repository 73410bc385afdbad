//! Sign-in: at an identity provider, or with a user name and a password of the static list.

use std::sync::Arc;

use audit::{Action, Event, Outcome, Party};
use axum::{body::Body, extract::State, response::Response};
use connect_hosts::AllowedRedirect;
use http::{HeaderMap, StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    body::read_form,
    caller::Caller,
    client_documents::DocumentError,
    clock::after,
    cookies, device,
    error::Unavailable,
    http_layer::RequestId,
    identity::{Identity, IdentitySource, OidcUpstream},
    interaction::{Asked, Opened, PageError, respond_to_client, see_other},
    pages::{ChooserPage, Form, Provider, SignInPage},
    params::Params,
    password::Refused,
    random::{Digest, identifier, secret},
    recheck,
    server::Server,
    session,
    store::{ActivityKind, Client, ClientOrigin, Code, CodeRequest, Grant, GrantKind, Stage},
};

/// The longest address that a provider is told (RFC 5321 §4.5.3.1).
const MAX_EMAIL: usize = 254;

/// `GET /sign-in?interaction=…[&idp=…]`
pub(crate) async fn start(State(server): State<Arc<Server>>, caller: Caller, uri: Uri) -> Response {
    let started = try_start(&server, &uri, &caller.headers).await;
    started.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_start(server: &Server, uri: &Uri, headers: &HeaderMap) -> Result<Response, PageError> {
    let params = Params::parse(uri.query().unwrap_or_default()).map_err(|_| PageError::Unreadable)?;
    let id = params.value("interaction").ok_or(PageError::NoInteraction)?;
    let opened = Opened::find(server, headers, id, Stage::SignIn).await?;
    match (params.value("idp"), server.identity_sources.as_slice()) {
        (Some(id), _) => start_at(server, &opened, source(server, id)?, None).await,
        (None, [only]) => start_at(server, &opened, only, None).await,
        (None, _) => Ok(choose(server, &opened, None)),
    }
}

/// The configured source with this id.
pub(crate) fn source<'a>(server: &'a Server, id: &str) -> Result<&'a Arc<IdentitySource>, PageError> {
    server.identity_sources.iter().find(|source| source.id() == id).ok_or(PageError::UnknownSource)
}

async fn start_at(
    server: &Server,
    opened: &Opened,
    source: &IdentitySource,
    email: Option<&str>,
) -> Result<Response, PageError> {
    match source {
        IdentitySource::Static(users) => Ok(ask_password(server, opened, users.id(), "", false)),
        IdentitySource::Oidc(upstream) => {
            let binding = Binding::new(server, opened, upstream);
            let challenge = binding.pkce_challenge();
            let url = upstream
                .begin(&binding.redirect_uri, &binding.state, &binding.nonce, &challenge, email)
                .await
                .map_err(upstream_error)?;
            Ok(see_other(&url, None))
        }
    }
}

/// What the provider cannot do now is tried again; the rest is refused.
pub(crate) fn upstream_error(error: crate::identity::UpstreamError) -> PageError {
    if error.is_transient() { PageError::UpstreamDown(error) } else { PageError::UpstreamRefused(error) }
}

/// What ties a sign-in at one provider to one browser (SEC-14): all of it is made from the cookie that the browser got
/// after consent, so that nothing has to be stored and nobody else can make it.
pub(crate) struct Binding {
    pub(crate) redirect_uri: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) pkce_verifier: String,
}

impl Binding {
    pub(crate) fn new(server: &Server, opened: &Opened, upstream: &OidcUpstream) -> Self {
        let id = &opened.interaction.id;
        let derive =
            |purpose: &str| cookies::derive(&format!("{purpose} {}", upstream.id()), id, &opened.cookie);
        Self {
            redirect_uri: server.config.url_of(&format!("/callback/{}", upstream.id())),
            state: format!("{id}.{}", derive("state")),
            nonce: derive("nonce"),
            pkce_verifier: derive("pkce"),
        }
    }

    fn pkce_challenge(&self) -> String {
        Digest::of_text(&self.pkce_verifier).to_text()
    }
}

/// Asks where to sign in: by button, or where domains are configured also by the address, whose domain names the
/// provider. `unknown` is an address that named none.
fn choose(server: &Server, opened: &Opened, unknown: Option<&str>) -> Response {
    let csrf = opened.csrf();
    let sources = &server.identity_sources;
    let providers: Vec<Provider<'_>> =
        sources.iter().map(|source| Provider { id: source.id(), label: source.label() }).collect();
    let by_email = sources
        .iter()
        .any(|source| matches!(source.as_ref(), IdentitySource::Oidc(upstream) if upstream.has_domains()));
    let page = ChooserPage {
        brand: &server.config.brand,
        client_name: opened.client_name(),
        providers: &providers,
        by_email,
        unknown,
        form: Form {
            action: "/sign-in",
            hidden: &[("interaction", opened.interaction.id.as_str()), ("csrf", csrf.as_str())],
        },
    };
    page.respond(if unknown.is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK })
}

/// The provider that an e-mail address belongs to, by its domain.
fn home<'a>(server: &'a Server, email: &str) -> Option<&'a Arc<IdentitySource>> {
    let (_, domain) = email.trim().rsplit_once('@')?;
    server.identity_sources.iter().find(|source| match source.as_ref() {
        IdentitySource::Oidc(upstream) => upstream.has_domain(domain),
        IdentitySource::Static(_) => false,
    })
}

fn ask_password(server: &Server, opened: &Opened, source: &str, username: &str, failed: bool) -> Response {
    let csrf = opened.csrf();
    let page = SignInPage {
        brand: &server.config.brand,
        client_name: opened.client_name(),
        username,
        failed,
        form: Form {
            action: "/sign-in",
            hidden: &[
                ("interaction", opened.interaction.id.as_str()),
                ("csrf", csrf.as_str()),
                ("idp", source),
            ],
        },
    };
    page.respond(if failed { StatusCode::FORBIDDEN } else { StatusCode::OK })
}

/// `POST /sign-in`
pub(crate) async fn submit(State(server): State<Arc<Server>>, caller: Caller, body: Body) -> Response {
    let submitted = try_submit(&server, &caller, body).await;
    submitted.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_submit(server: &Server, caller: &Caller, body: Body) -> Result<Response, PageError> {
    let Caller { request_id, headers, .. } = caller;
    let form = read_form(headers, body).await.map_err(PageError::Body)?;
    let opened = Opened::of_form(server, headers, &form, Stage::SignIn).await?;
    if form.value("decision") == Some("cancel") {
        return opened.cancel(server, request_id, Action::Login, "cancelled").await;
    }
    if let (None, Some(email)) = (form.value("idp"), form.value("email")) {
        return match home(server, email).filter(|_| email.len() <= MAX_EMAIL) {
            Some(source) => start_at(server, &opened, source, Some(email.trim())).await,
            None => Ok(choose(server, &opened, Some(email))),
        };
    }
    let source = source(server, form.value("idp").ok_or(PageError::UnknownSource)?)?;
    let (IdentitySource::Static(users), Some(username)) = (source.as_ref(), form.value("username")) else {
        // A choice: followed by GET, which can be repeated when the provider is down.
        let id = &opened.interaction.id;
        return Ok(see_other(&format!("/sign-in?interaction={id}&idp={}", source.id()), None));
    };
    let password = SecretString::from(form.value("password").unwrap_or_default());
    let denied = || opened.event(Action::Login, Outcome::Denied, request_id);
    match server.passwords.verify(source, username, password).await {
        Ok(identity) => {
            let signed_in =
                SignedIn { source: source.id().to_owned(), identity, session: None, refresh_token: None };
            finish(server, caller, &opened, signed_in).await
        }
        Err(Refused::Wrong) => {
            server.record_refusal(denied().reason("wrong_password"));
            if let Some(identity) = users.identity(username) {
                let client = opened.client_name();
                server.note(identity.into(), ActivityKind::SignInRefused, client, Some(caller)).await;
            }
            Ok(ask_password(server, &opened, source.id(), username, true))
        }
        Err(Refused::TooOften(limited)) => {
            server.record_refusal(denied().reason("too_many_attempts"));
            Err(PageError::TooManyAttempts(limited))
        }
    }
}

/// Does what the person signed in for.
pub(crate) async fn finish(
    server: &Server,
    caller: &Caller,
    opened: &Opened,
    mut signed_in: SignedIn,
) -> Result<Response, PageError> {
    let request_id = &caller.request_id;
    let refresh_token = signed_in.refresh_token.take();
    match &opened.asked {
        Asked::Code { client, to, request } => {
            keep_document(server, request_id, client).await?;
            let asked = (client, request.resource.as_str(), request.scope.as_str());
            let grant = new_grant(server, caller, GrantKind::Code, asked, signed_in)?;
            recheck::keep(server, &grant, refresh_token.as_ref()).await?;
            let response = issue_code(server, request_id, opened, to, request, &grant).await?;
            note_connected(server, caller, client, &grant).await;
            Ok(response)
        }
        Asked::Device { client, request } => {
            keep_document(server, request_id, client).await?;
            let asked = (client, request.resource.as_str(), request.scope.as_str());
            let mut grant = new_grant(server, caller, GrantKind::Device, asked, signed_in)?;
            // This browser is not the device that acts.
            grant.device = None;
            recheck::keep(server, &grant, refresh_token.as_ref()).await?;
            let response = device::approve(server, request_id, opened, (client, request), &grant).await?;
            note_connected(server, caller, client, &grant).await;
            Ok(response)
        }
        Asked::Page(page) => session::start(server, caller, opened, *page, signed_in).await,
    }
}

/// What a client said about itself when somebody allowed it must be known for as long as that counts.
async fn keep_document(server: &Server, request_id: &RequestId, client: &Client) -> Result<(), PageError> {
    if client.origin != ClientOrigin::Document {
        return Ok(());
    }
    let party = Arc::new(Party { client: Some(client.id.clone()), ..Party::default() });
    let event = Event::new(Action::Registration, Outcome::Success, party)
        .request_id(request_id.0.as_str())
        .target(client.redirect_uris.join(" "));
    let confirm = || server.record(event.clone());
    let kept = server.client_documents.keep(&client.id, &confirm).await.map_err(Unavailable::from)?;
    if kept { Ok(()) } else { Err(DocumentError::Full.into()) }
}

/// For the person to read: a client may act for them from now on.
async fn note_connected(server: &Server, caller: &Caller, client: &Client, grant: &Grant) {
    let person = (&grant.identity).into();
    server.note(person, ActivityKind::Connected, client.name.as_deref(), Some(caller)).await;
}

/// A person who has just signed in.
pub(crate) struct SignedIn {
    /// Which identity source vouches, by its configured id.
    pub(crate) source: String,
    /// Who it is.
    pub(crate) identity: Identity,
    /// The provider's handle of the sign-in.
    pub(crate) session: Option<String>,
    /// The token to ask the provider again with.
    pub(crate) refresh_token: Option<SecretString>,
}

/// Exchanges the interaction for a grant and sends the browser back to the client with a code.
async fn issue_code(
    server: &Server,
    request_id: &RequestId,
    opened: &Opened,
    to: &AllowedRedirect,
    request: &CodeRequest,
    grant: &Grant,
) -> Result<Response, PageError> {
    let now = grant.authenticated_at;
    let interaction = &opened.interaction;
    let plain_code = secret(server.randomness.as_ref()).map_err(Unavailable::from)?;
    let code = Code {
        digest: Digest::of(&plain_code),
        grant_id: grant.id.clone(),
        redirect_uri: request.redirect_uri_given.then(|| request.redirect_uri.clone()),
        code_challenge: request.code_challenge.clone(),
        dpop_jkt: request.dpop_jkt.clone(),
        nonce: request.nonce.clone(),
        expires_at: after(now, server.config.code_lifetime),
        used_at: None,
    };
    let mut event = opened.event(Action::Login, Outcome::Success, request_id);
    event.party = Arc::new(party_of(grant));
    let confirm = || server.record(event.clone());
    let completed = server
        .store
        .complete_interaction(&interaction.id, &interaction.cookie, grant, &code, now, &confirm)
        .await
        .map_err(Unavailable::from)?;
    if !completed {
        return Err(PageError::NoInteraction);
    }
    let parameters = [("code", plain_code.expose_secret())];
    let mut response = respond_to_client(server, to, request.state.as_deref(), &parameters);
    opened.clear_cookie(server, &mut response);
    Ok(response)
}

fn new_grant(
    server: &Server,
    caller: &Caller,
    kind: GrantKind,
    (client, resource, scope): (&Client, &str, &str),
    signed_in: SignedIn,
) -> Result<Grant, Unavailable> {
    let now = server.now();
    Ok(Grant {
        id: identifier(server.randomness.as_ref())?,
        client_id: client.id.clone(),
        identity: signed_in.identity,
        identity_source: signed_in.source,
        resource: resource.to_owned(),
        scope: scope.to_owned(),
        authenticated_at: now,
        expires_at: after(now, server.config.refresh_absolute_lifetime),
        revoked_at: None,
        kind,
        last_used_at: None,
        dpop_jkt: None,
        device: caller.device(),
        client_fingerprint: client.fingerprint(),
        upstream_session: signed_in.session,
    })
}

/// Whom an event under this grant concerns.
pub(crate) fn party_of(grant: &Grant) -> Party {
    Party {
        issuer: Some(grant.identity.issuer.clone()),
        subject: Some(grant.identity.subject.clone()),
        tenant: grant.identity.tenant.clone(),
        client: Some(grant.client_id.clone()),
        ..Party::default()
    }
}
