//! What the pages between `/authorize` and the code have in common.

use std::sync::Arc;

use audit::{Action, Event, Outcome, Party};
use axum::response::{IntoResponse, Response};
use connect_hosts::AllowedRedirect;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use limits::Limited;
use secrecy::SecretString;

use crate::{
    body::BodyError,
    client_documents::DocumentError,
    clients,
    clock::after,
    config::Resource,
    cookies, device,
    error::{RETRY_AFTER, Unavailable, chain, with_retry_after},
    http_layer::RequestId,
    identity::UpstreamError,
    pages::{ErrorPage, NoticePage},
    params::Params,
    random::{Digest, identifier, same, secret},
    server::Server,
    store::{Client, CodeRequest, DeviceRequest, Interaction, Page, Purpose, Stage},
};

/// Why a page cannot be shown or its form not be accepted. Nobody is redirected for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PageError {
    /// The query is too long or not valid percent-encoded UTF-8.
    #[error("the query cannot be read")]
    Unreadable,
    /// The form cannot be read.
    #[error("the form cannot be read")]
    Body(#[source] BodyError),
    /// No such client is registered.
    #[error("the client is not registered")]
    UnknownClient,
    /// The document that describes the client cannot be used.
    #[error("the client's document cannot be used")]
    ClientDocument(#[from] DocumentError),
    /// The redirect is not registered, not allowed, or not named although it must be.
    #[error("the redirect is not one of the client's allowed ones")]
    BadRedirect,
    /// A pushed request that is over, was used, or is another client's.
    #[error("the pushed request is unknown, used, expired or another client's")]
    NoPushedRequest,
    /// The interaction is over, or never was, or belongs to another browser.
    #[error("the interaction is not this browser's or is over")]
    NoInteraction,
    /// Nobody is signed in in this browser.
    #[error("nobody is signed in in this browser")]
    NoSession,
    /// Tokens cannot be taken here.
    #[error("the portal is off")]
    NoPortal,
    /// The form was not made by this server for this browser.
    #[error("the form's anti-forgery value is wrong")]
    Forged,
    /// Passwords were tried too often.
    #[error(transparent)]
    TooManyAttempts(#[from] Limited),
    /// No device can be connected here.
    #[error("the device authorization grant is off")]
    NoDevices,
    /// The identity source does not exist or did not send this answer.
    #[error("the identity source is unknown")]
    UnknownSource,
    /// The identity provider does not answer; the interaction goes on.
    #[error("the identity provider is unavailable")]
    UpstreamDown(#[source] UpstreamError),
    /// The identity provider's answer cannot be trusted.
    #[error("the identity provider's answer was refused")]
    UpstreamRefused(#[source] UpstreamError),
    /// Something of ours is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What most people can do.
pub(crate) const START_AGAIN: &str = "Go back to the application and connect again.";

/// What an error page says.
pub(crate) struct Words {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) remedy: &'static str,
}

impl PageError {
    /// The page for it. This is where the chain is logged, once.
    pub(crate) fn respond(&self, server: &Server, request_id: &RequestId) -> Response {
        let status = self.status();
        let Words { title, text, remedy } = self.words();
        if status.is_server_error() {
            tracing::error!(request_id = request_id.0, error = chain(self), "a page could not be shown");
        } else {
            tracing::info!(request_id = request_id.0, error = chain(self), "a page was refused");
        }
        let text = match self {
            Self::ClientDocument(error) => error.in_detail(text),
            _ => text.to_owned(),
        };
        let page = ErrorPage {
            brand: &server.config.brand,
            status,
            title,
            text: &text,
            remedy: Some(remedy),
            reference: Some(&request_id.0),
        };
        let response = page.respond();
        match self {
            Self::TooManyAttempts(limited) | Self::ClientDocument(DocumentError::Limited(limited)) => {
                with_retry_after(response, limited.retry_after_seconds())
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => with_retry_after(response, RETRY_AFTER),
            _ => response,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unreadable
            | Self::UnknownClient
            | Self::BadRedirect
            | Self::NoPushedRequest
            | Self::NoInteraction
            | Self::Body(BodyError::Params(_)) => StatusCode::BAD_REQUEST,
            Self::Body(BodyError::MediaType { .. }) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(BodyError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ClientDocument(error) => error.status(),
            Self::NoSession | Self::Forged => StatusCode::FORBIDDEN,
            Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NoDevices | Self::NoPortal | Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::UpstreamRefused(_) => StatusCode::BAD_GATEWAY,
            Self::UpstreamDown(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn words(&self) -> Words {
        match self {
            Self::Unreadable => Words {
                title: "This link cannot be read",
                text: "The address holds parameters that are too long or damaged.",
                remedy: START_AGAIN,
            },
            Self::Body(_) => Words {
                title: "This form cannot be read",
                text: "What was sent is not a form of this site.",
                remedy: START_AGAIN,
            },
            Self::UnknownClient => Words {
                title: "This application is not known here",
                text: "It has not registered with this server, or its registration has expired.",
                remedy: "Remove the connection in the application and add it again.",
            },
            Self::ClientDocument(error) => error.words(),
            Self::BadRedirect => Words {
                title: "This application may not receive the answer",
                text: "The address it wants the answer at is not one it registered, or is not allowed here.",
                remedy: "Add the connection again. If that does not help, ask whoever runs this server to allow the application.",
            },
            Self::NoPushedRequest => Words {
                title: "This link is over",
                text: "It works once, for a minute after the application made it.",
                remedy: START_AGAIN,
            },
            Self::NoInteraction => Words {
                title: "This sign-in is over",
                text: "It has expired, was finished already, or was begun in another browser. Cookies must be enabled.",
                remedy: START_AGAIN,
            },
            Self::NoSession => Words {
                title: "You are not signed in",
                text: "You were signed out, or signed in again elsewhere in this browser. Nothing was changed.",
                remedy: "Open the page again and sign in.",
            },
            Self::Forged => Words {
                title: "This form was not accepted",
                text: "It was not sent from the page that this server showed you.",
                remedy: START_AGAIN,
            },
            Self::TooManyAttempts(_) => Words {
                title: "Too many attempts",
                text: "This was tried too often in a short time.",
                remedy: "Wait a minute, go back and try again.",
            },
            Self::NoDevices => Words {
                title: "Devices cannot be connected here",
                text: "This server does not let programs on other devices in by a code.",
                remedy: "Ask whoever runs this server how to connect the device.",
            },
            Self::NoPortal => Words {
                title: "There is no such page",
                text: "Tokens cannot be taken by hand here.",
                remedy: "Connect an application instead: it signs you in by itself.",
            },
            Self::UnknownSource => Words {
                title: "There is no such way to sign in",
                text: "The identity provider in the address is not one that this server uses.",
                remedy: START_AGAIN,
            },
            Self::UpstreamDown(_) => Words {
                title: "Your identity provider does not answer",
                text: "You could not be signed in just now. Nothing was lost.",
                remedy: "Wait a moment and reload this page.",
            },
            Self::UpstreamRefused(_) => Words {
                title: "You could not be signed in",
                text: "The answer of your identity provider could not be accepted.",
                remedy: "Connect again. If that does not help, give the reference below to whoever runs this server.",
            },
            Self::Unavailable(_) => Words {
                title: "This does not work right now",
                text: "Something this server needs is not available. Nothing was changed.",
                remedy: "Wait a moment and reload this page.",
            },
        }
    }
}

/// Begins an interaction in this browser, with the question whether the person wants it if there is a client to let in.
pub(crate) async fn begin(server: &Server, purpose: Purpose) -> Result<Response, Unavailable> {
    let (stage, path) = match purpose {
        Purpose::Code(_) | Purpose::Device(_) => (Stage::Consent, "/consent"),
        Purpose::Page(_) => (Stage::SignIn, "/sign-in"),
    };
    let now = server.now();
    let cookie = secret(server.randomness.as_ref())?;
    let interaction = Interaction {
        id: identifier(server.randomness.as_ref())?,
        stage,
        cookie: Digest::of(&cookie),
        purpose,
        created_at: now,
        expires_at: after(now, server.config.interaction_lifetime),
    };
    let capacity = server.config.max_interactions;
    server.store.insert_interaction(&interaction, capacity).await?;
    let set_cookie = cookies::set(&server.config, stage, &interaction.id, &cookie);
    Ok(see_other(&format!("{path}?interaction={}", interaction.id), set_cookie))
}

/// An unexpired interaction of the browser that sent the request.
pub(crate) struct Opened {
    pub(crate) interaction: Interaction,
    /// What it is for, with what that needs.
    pub(crate) asked: Asked,
    /// The cookie of the present stage.
    pub(crate) cookie: SecretString,
}

impl Opened {
    /// Opens the interaction if it is in this stage and the browser has its cookie.
    pub(crate) async fn find(
        server: &Server,
        headers: &HeaderMap,
        id: &str,
        stage: Stage,
    ) -> Result<Self, PageError> {
        let interaction = server.store.interaction(id).await.map_err(Unavailable::from)?;
        let interaction = interaction.ok_or(PageError::NoInteraction)?;
        if interaction.stage != stage || interaction.expires_at <= server.now() {
            return Err(PageError::NoInteraction);
        }
        let cookie =
            cookies::verified(&server.config, headers, &interaction).ok_or(PageError::NoInteraction)?;
        let asked = Asked::new(server, &interaction.purpose).await?;
        Ok(Self { interaction, asked, cookie })
    }

    /// Opens the interaction that a posted form names, if the form was made for this browser (SEC-13).
    pub(crate) async fn of_form(
        server: &Server,
        headers: &HeaderMap,
        form: &Params,
        stage: Stage,
    ) -> Result<Self, PageError> {
        let id = form.value("interaction").ok_or(PageError::NoInteraction)?;
        let opened = Self::find(server, headers, id, stage).await?;
        let csrf = form.value("csrf").unwrap_or_default();
        if same(csrf, &opened.csrf()) { Ok(opened) } else { Err(PageError::Forged) }
    }

    /// The anti-forgery value of this stage's forms.
    pub(crate) fn csrf(&self) -> String {
        cookies::derive("csrf", &self.interaction.id, &self.cookie)
    }

    /// Ends the interaction because the person, or the identity provider for them, said no.
    pub(crate) async fn cancel(
        &self,
        server: &Server,
        request_id: &RequestId,
        action: Action,
        reason: &'static str,
    ) -> Result<Response, PageError> {
        let event = self.event(action, Outcome::Denied, request_id).reason(reason);
        match &self.asked {
            Asked::Code { to, request, .. } => self.cancel_code(server, to, request, &event).await,
            Asked::Device { client, request } => device::deny(server, self, (client, request), &event).await,
            Asked::Page(page) => self.cancel_page(server, *page, &event).await,
        }
    }

    async fn cancel_code(
        &self,
        server: &Server,
        to: &AllowedRedirect,
        request: &CodeRequest,
        event: &Event,
    ) -> Result<Response, PageError> {
        self.remove(server, event).await?;
        let parameters = [
            ("error", "access_denied"),
            ("error_description", "the person or their identity provider said no"),
        ];
        let mut response = respond_to_client(server, to, request.state.as_deref(), &parameters);
        self.clear_cookie(server, &mut response);
        Ok(response)
    }

    async fn cancel_page(&self, server: &Server, page: Page, event: &Event) -> Result<Response, PageError> {
        self.remove(server, event).await?;
        let notice = NoticePage {
            brand: &server.config.brand,
            title: "You are not signed in",
            text: "The sign-in was cancelled, or your organisation did not allow it.",
            link: Some(("Sign in", page.path())),
        };
        let mut response = notice.respond(StatusCode::OK);
        self.clear_cookie(server, &mut response);
        Ok(response)
    }

    async fn remove(&self, server: &Server, event: &Event) -> Result<(), PageError> {
        let confirm = || server.record(event.clone());
        let cancelled =
            server.store.cancel_interaction(&self.interaction.id, &self.interaction.cookie, &confirm).await;
        if cancelled.map_err(Unavailable::from)? { Ok(()) } else { Err(PageError::NoInteraction) }
    }

    /// Tells the browser to forget the cookie of this stage.
    pub(crate) fn clear_cookie(&self, server: &Server, response: &mut Response) {
        let cleared = cookies::clear(&server.config, self.interaction.stage, &self.interaction.id);
        if let Some(value) = cleared {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }

    /// An event about this request, before it is known who the person is.
    pub(crate) fn event(&self, action: Action, outcome: Outcome, request_id: &RequestId) -> Event {
        let (client, target) = match &self.asked {
            Asked::Code { client, request, .. } => (Some(client.id.clone()), request.resource.as_str()),
            Asked::Device { client, request } => (Some(client.id.clone()), request.resource.as_str()),
            Asked::Page(page) => (None, page.path()),
        };
        let party = Party { client, ..Party::default() };
        Event::new(action, outcome, Arc::new(party)).request_id(request_id.0.as_str()).target(target)
    }

    /// The name of the client that the person would let in.
    pub(crate) fn client_name(&self) -> Option<&str> {
        match &self.asked {
            Asked::Code { client, .. } | Asked::Device { client, .. } => client.name.as_deref(),
            Asked::Page(_) => None,
        }
    }
}

/// The purpose of an interaction, with what it needs checked again: clients, resources and the operator's list may have
/// changed meanwhile.
pub(crate) enum Asked {
    /// A code for a client.
    Code { client: Client, to: AllowedRedirect, request: CodeRequest },
    /// Letting a client on another device in.
    Device { client: Client, request: DeviceRequest },
    /// A page about the person's own account.
    Page(Page),
}

impl Asked {
    async fn new(server: &Server, purpose: &Purpose) -> Result<Self, PageError> {
        match purpose {
            Purpose::Device(request) => {
                let client = clients::find(server, &request.client_id).await?;
                let client = client.filter(|client| device::is_allowed(server, client));
                let client = client.ok_or(PageError::UnknownClient)?;
                if client.fingerprint() != request.client_fingerprint {
                    return Err(DocumentError::Changed.into());
                }
                Ok(Self::Device { client, request: request.clone() })
            }
            Purpose::Code(request) => {
                let client = clients::find(server, &request.client_id).await?;
                let client = client.ok_or(PageError::UnknownClient)?;
                if client.fingerprint() != request.client_fingerprint {
                    return Err(DocumentError::Changed.into());
                }
                let to = server.redirects.check(&request.redirect_uri);
                let to = to.map_err(|_| PageError::BadRedirect)?;
                Ok(Self::Code { client, to, request: request.clone() })
            }
            Purpose::Page(page) => Ok(Self::Page(*page)),
        }
    }
}

/// The configured resource, unless it was removed from the configuration since it was asked for.
pub(crate) fn resource<'a>(server: &'a Server, uri: &str) -> Result<&'a Resource, PageError> {
    server.config.resources.iter().find(|resource| resource.uri == uri).ok_or(PageError::NoInteraction)
}

/// Sends the browser back to the client, always with `iss` (RFC 9207 §2) and with the client's `state`, if any.
pub(crate) fn respond_to_client(
    server: &Server,
    to: &AllowedRedirect,
    state: Option<&str>,
    parameters: &[(&str, &str)],
) -> Response {
    let mut all = parameters.to_vec();
    all.extend(state.map(|state| ("state", state)));
    all.push(("iss", &server.config.public_url));
    see_other(&to.with_query(&all), None)
}

/// A redirect that is followed with GET, kept by nobody and named to nobody (SEC-9).
pub(crate) fn see_other(location: &str, set_cookie: Option<HeaderValue>) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        // Every location is an allowed redirect or a path of ours: ASCII without controls.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.extend(set_cookie.map(|value| (header::SET_COOKIE, value)));
    response
}
