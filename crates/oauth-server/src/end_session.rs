//! `/end_session` (OpenID Connect RP-Initiated Logout 1.0): a client sends the person here to sign out.
//!
//! The person is asked first, and the browser goes on only to a redirect that the client of the ID token registered and
//! that the operator's list still has (SEC-16). What is connected stays connected.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use connect_hosts::AllowedRedirect;
use http::{StatusCode, Uri};
use secrecy::SecretString;

use crate::{
    body::read_form,
    caller::Caller,
    interaction::{PageError, see_other},
    openid,
    pages::{EndSessionPage, Form},
    params::Params,
    server::Server,
    session::BrowserSession,
    store::Client,
};

const MAX_QUERY: usize = 8 * 1024;
const MAX_STATE: usize = 2048;

/// The parameters that go from the request into the form and back.
const PARAMETERS: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

/// A request that holds together.
struct EndRequest {
    client: Option<Client>,
    /// Where the browser goes afterwards.
    to: Option<AllowedRedirect>,
    state: Option<String>,
}

/// `GET /end_session`
pub(crate) async fn ask(State(server): State<Arc<Server>>, caller: Caller, uri: Uri) -> Response {
    let asked = try_ask(&server, &caller, uri.query().unwrap_or_default()).await;
    asked.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_ask(server: &Server, caller: &Caller, query: &str) -> Result<Response, PageError> {
    if query.len() > MAX_QUERY {
        return Err(PageError::Unreadable);
    }
    let params = Params::parse(query).map_err(|_| PageError::Unreadable)?;
    let request = EndRequest::read(server, &params).await?;
    // Nobody is signed in: there is nothing to ask.
    let Some(browser) = BrowserSession::find(server, &caller.headers).await? else {
        return Ok(request.leave());
    };
    let csrf = SecretString::from(browser.csrf());
    let given = PARAMETERS.iter().filter_map(|name| Some((*name, params.value(name)?)));
    let mut hidden: Vec<(&str, &str)> = given.collect();
    hidden.push(("csrf", secrecy::ExposeSecret::expose_secret(&csrf)));
    let page = EndSessionPage {
        brand: &server.config.brand,
        person: browser.identity().shown(),
        client_name: request.client.as_ref().and_then(|client| client.name.as_deref()),
        form: Form { action: "/end_session", hidden: &hidden },
    };
    Ok(page.respond(StatusCode::OK))
}

/// `POST /end_session`
pub(crate) async fn end(State(server): State<Arc<Server>>, caller: Caller, body: Body) -> Response {
    let ended = try_end(&server, &caller, body).await;
    ended.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn try_end(server: &Server, caller: &Caller, body: Body) -> Result<Response, PageError> {
    let form = read_form(&caller.headers, body).await.map_err(PageError::Body)?;
    if form.value("decision").is_none() {
        // A client may post its request too. It comes from another site, and then without the cookie.
        let given = PARAMETERS.iter().filter_map(|name| Some((*name, form.value(name)?)));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        return Ok(see_other(&format!("/end_session?{query}"), None));
    }
    let browser = BrowserSession::of_form(server, &caller.headers, &form).await?;
    if form.value("decision") != Some("sign-out") {
        return Ok(see_other("/account", None));
    }
    let request = EndRequest::read(server, &form).await?;
    browser.end(server, caller, request.leave()).await
}

impl EndRequest {
    async fn read(server: &Server, params: &Params) -> Result<Self, PageError> {
        if PARAMETERS.iter().any(|name| params.is_duplicated(name)) {
            return Err(PageError::Unreadable);
        }
        let client = match params.value("id_token_hint") {
            Some(hint) => openid::hinted_client(server, hint).await?,
            None => None,
        };
        if let Some(named) = params.value("client_id")
            && client.as_ref().is_some_and(|client| client.id != named)
        {
            return Err(PageError::UnknownClient);
        }
        let to = match (params.value("post_logout_redirect_uri"), &client) {
            (None, _) => None,
            (Some(uri), Some(client)) => Some(registered(server, client, uri).ok_or(PageError::BadRedirect)?),
            // Whose redirect it would be, is not proven.
            (Some(_), None) => return Err(PageError::BadRedirect),
        };
        let state = params.value("state").filter(|state| state.len() <= MAX_STATE).map(str::to_owned);
        Ok(Self { client, to, state })
    }

    /// On to the client, or to a page of ours.
    fn leave(&self) -> Response {
        match &self.to {
            Some(to) => {
                let state: Vec<(&str, &str)> =
                    self.state.iter().map(|state| ("state", state.as_str())).collect();
                see_other(&to.with_query(&state), None)
            }
            None => see_other("/signed-out", None),
        }
    }
}

fn registered(server: &Server, client: &Client, requested: &str) -> Option<AllowedRedirect> {
    let requested = server.redirects.check(requested).ok()?;
    let mut registered = client.redirect_uris.iter().filter_map(|uri| server.redirects.check(uri).ok());
    registered.any(|registered| registered.matches(&requested)).then_some(requested)
}
