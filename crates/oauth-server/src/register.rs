//! Dynamic client registration (RFC 7591) and its management (RFC 7592).
//!
//! Each redirect is judged on its own: the allowed ones are kept, the others are reported, and only when none is left is
//! the registration refused.

mod admission;
mod answer;
mod manage;
mod metadata;

use std::{sync::Arc, time::Duration};

use audit::{Action, Event, Outcome, Party};
use axum::{Extension, body::Body, extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use limits::Limited;
use secrecy::ExposeSecret;
use serde_json::Value;

pub(crate) use admission::Admission;
pub use admission::{RegistrationMode, RegistrationRate};
pub(crate) use manage::{change, delete, show};
pub(crate) use metadata::check_name;

use self::{
    admission::admit,
    answer::{Told, answer},
    metadata::{Accepted, Dropped, parse, reasons},
};
use crate::{
    body::{BodyError, read},
    client_address::ClientAddress,
    client_authn::keys::ClientKeysProblem,
    clock::before,
    error::{RETRY_AFTER, Unavailable, json_no_store, oauth_error, unavailable_json, with_retry_after},
    http_layer::RequestId,
    random::{Digest, identifier, secret},
    server::Server,
    store::{Client, ClientAuthentication, ClientOrigin, ClientSettings},
};

const MAX_BODY: usize = 32 * 1024;

/// How long a client is safe from giving way to others while nobody has signed in with it yet. A flood can shut others
/// out only by filling every place within this time, again and again.
const REPLACEABLE_AFTER: Duration = Duration::from_mins(1);

/// Why a registration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum RegisterError {
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body is not the JSON object of RFC 7591 §2. Nothing of what was sent is repeated.
    #[error("the body is not a JSON object of client metadata: {problem} (line {line}, column {column})")]
    Json {
        /// What is wrong with it.
        problem: &'static str,
        /// Where, counted from 1.
        line: usize,
        /// Where, counted from 1.
        column: usize,
    },
    /// A member has an unusable value.
    #[error("{member} {problem}")]
    Metadata {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The keys of an assertion's signer.
    #[error("jwks {0}")]
    Keys(ClientKeysProblem),
    /// No redirect may receive a code.
    #[error("none of the redirect_uris is allowed here ({})", reasons(.0))]
    NoRedirect(Vec<Dropped>),
    /// Nobody may register.
    #[error(
        "clients do not register here by themselves: ask whoever runs this server to register the client"
    )]
    Off,
    /// Not everybody may register.
    #[error(
        "this client may not register by itself: it needs an initial access token from whoever runs this server"
    )]
    NotAdmitted,
    /// The initial access token, or the token of a registration. Which clients there are is not told.
    #[error("the token is missing, unknown, expired or used up")]
    Token,
    /// One address asks too often.
    #[error(transparent)]
    TooOften(Limited),
    /// The operator's limit.
    #[error("no more clients can register at the moment")]
    Full,
    /// Something is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// `POST /register`
pub(crate) async fn register(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let address = address.map(|Extension(address)| address);
    match try_register(&server, &request_id, address, &headers, body).await {
        Ok(answer) => json_no_store(StatusCode::CREATED, &answer),
        Err(error) => {
            record_refusal(&server, &request_id, &error);
            refuse(&error, &request_id)
        }
    }
}

async fn try_register(
    server: &Server,
    request_id: &RequestId,
    address: Option<ClientAddress>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Value, RegisterError> {
    server.admission.count(address).map_err(RegisterError::TooOften)?;
    server.admission.is_open()?;
    let accepted =
        Accepted::check(server, parse(&read(headers, body, "application/json", MAX_BODY).await?)?)?;
    let now = server.now();
    let token = secret(server.randomness.as_ref()).map_err(Unavailable::from)?;
    let blank = Client {
        id: identifier(server.randomness.as_ref()).map_err(Unavailable::from)?,
        name: None,
        authentication: ClientAuthentication::None,
        redirect_uris: Vec::new(),
        grant_types: [].into(),
        origin: ClientOrigin::Dynamic,
        settings: ClientSettings::default(),
        registered_at: now,
        first_used_at: None,
        registration_token: Some(Digest::of(&token)),
    };
    let (client, dropped, client_secret) = accepted.apply(server, blank)?;
    admit(server, headers, &client.redirect_uris).await?;
    let party = Arc::new(Party { client: Some(client.id.clone()), ..Party::default() });
    let event = Event::new(Action::Registration, Outcome::Success, party)
        .request_id(request_id.0.as_str())
        .target(client.redirect_uris.join(" "));
    let confirm = || server.record(event.clone());
    let replaceable = before(now, REPLACEABLE_AFTER);
    let max = server.config.max_unused_clients;
    let inserted = server.store.insert_client(&client, max, replaceable, &confirm).await;
    if inserted.map_err(Unavailable::from)? {
        let told = Told { token: token.expose_secret(), secret: client_secret.as_ref(), dropped: &dropped };
        Ok(answer(server, &client, &told))
    } else {
        Err(RegisterError::Full)
    }
}

fn record_refusal(server: &Server, request_id: &RequestId, error: &RegisterError) {
    let (outcome, reason) = match error {
        RegisterError::Body(_)
        | RegisterError::Json { .. }
        | RegisterError::Metadata { .. }
        | RegisterError::Keys(_) => (Outcome::Denied, "invalid_client_metadata"),
        RegisterError::NoRedirect(_) => (Outcome::Denied, "no_allowed_redirect"),
        RegisterError::Off | RegisterError::NotAdmitted => (Outcome::Denied, "registration_closed"),
        RegisterError::Token => (Outcome::Denied, "registration_token"),
        RegisterError::TooOften(_) => (Outcome::Denied, "rate"),
        RegisterError::Full => (Outcome::Denied, "client_quota"),
        RegisterError::Unavailable(_) => (Outcome::Failure, "unavailable"),
    };
    let event = Event::new(Action::Registration, outcome, Arc::default());
    server.record_refusal(event.request_id(request_id.0.as_str()).reason(reason));
}

fn refuse(error: &RegisterError, request_id: &RequestId) -> Response {
    let (status, code) = match error {
        RegisterError::Body(BodyError::MediaType { .. }) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_client_metadata")
        }
        RegisterError::Body(BodyError::TooLarge { .. }) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "invalid_client_metadata")
        }
        RegisterError::Metadata { member: "redirect_uris", .. } | RegisterError::NoRedirect(_) => {
            (StatusCode::BAD_REQUEST, "invalid_redirect_uri")
        }
        RegisterError::Body(BodyError::Params(_))
        | RegisterError::Json { .. }
        | RegisterError::Metadata { .. }
        | RegisterError::Keys(_) => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
        RegisterError::Off => (StatusCode::FORBIDDEN, "access_denied"),
        RegisterError::NotAdmitted | RegisterError::Token => {
            let mut answer = oauth_error(StatusCode::UNAUTHORIZED, "invalid_token", &error.to_string());
            let challenge = HeaderValue::from_static("Bearer realm=\"registration\"");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return answer;
        }
        RegisterError::TooOften(limited) => {
            let answer =
                oauth_error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", &error.to_string());
            return with_retry_after(answer, limited.retry_after_seconds());
        }
        RegisterError::Full => {
            let answer =
                oauth_error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", &error.to_string());
            return with_retry_after(answer, RETRY_AFTER);
        }
        RegisterError::Unavailable(unavailable) => return unavailable_json(unavailable, &request_id.0),
    };
    oauth_error(status, code, &error.to_string())
}
