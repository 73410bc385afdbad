//! The pages on which a person takes a token.

use std::time::{Duration, SystemTime};

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    brand::Brand,
    display::display_text,
    html::{MAX_NAME, shown_name},
    response::{Forms, answer},
    time_words::Moment,
};

const MAX_REASON: usize = 200;

/// Asks which service a token is for: posts `resource`, `once` and `decision=take`.
pub(crate) struct PortalPage<'a> {
    pub(crate) brand: &'a Brand,
    /// What the person is called.
    pub(crate) person: &'a str,
    pub(crate) lifetime: Duration,
    pub(crate) choices: Vec<PortalChoice<'a>>,
    pub(crate) csrf: &'a str,
    /// The value by which the form counts once.
    pub(crate) once: &'a str,
}

/// A service.
pub(crate) struct PortalChoice<'a> {
    /// The canonical resource.
    pub(crate) resource: &'a str,
    /// Its name.
    pub(crate) service: &'a str,
    /// Why it would not serve the person.
    pub(crate) refusal: Option<String>,
}

/// Shows a token, this once.
pub(crate) struct TokenPage<'a> {
    pub(crate) brand: &'a Brand,
    pub(crate) token: &'a SecretString,
    /// The name of the service.
    pub(crate) service: &'a str,
    /// The canonical resource.
    pub(crate) resource: &'a str,
    pub(crate) expires: SystemTime,
}

#[derive(Template)]
#[template(path = "portal.html")]
struct PortalHtml<'a> {
    brand: &'a Brand,
    person: String,
    minutes: u64,
    choices: Vec<ChoiceHtml<'a>>,
    csrf: &'a str,
    once: &'a str,
}

struct ChoiceHtml<'a> {
    resource: &'a str,
    service: String,
    refusal: Option<String>,
}

#[derive(Template)]
#[template(path = "token.html")]
struct TokenHtml<'a> {
    brand: &'a Brand,
    token: &'a str,
    service: String,
    expires: Moment,
    shell: String,
    claude: String,
    json: String,
}

impl PortalPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let choices = self.choices.iter().map(|choice| ChoiceHtml {
            resource: choice.resource,
            service: display_text(choice.service, MAX_NAME),
            refusal: choice.refusal.as_deref().map(|reason| display_text(reason, MAX_REASON)),
        });
        let page = PortalHtml {
            brand: self.brand,
            person: shown_name(Some(self.person)),
            // Never more than it is.
            minutes: self.lifetime.as_secs() / 60,
            choices: choices.collect(),
            csrf: self.csrf,
            once: self.once,
        };
        answer(self.brand, status, &page, Forms::Own)
    }
}

impl TokenPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        // What is pasted into a shell or a file names the variable, never the token.
        let url = format!("{}/mcp", self.resource);
        let name = self.resource.rsplit('/').next().unwrap_or("connect");
        let server = serde_json::json!({
            "mcpServers": {
                name: { "type": "http", "url": url, "headers": { "Authorization": "Bearer ${CONNECT_TOKEN}" } },
            },
        });
        let page = TokenHtml {
            brand: self.brand,
            token: self.token.expose_secret(),
            service: display_text(self.service, MAX_NAME),
            expires: Moment::exact(self.expires),
            shell: "read -rs CONNECT_TOKEN && export CONNECT_TOKEN".to_owned(),
            claude: format!(
                "claude mcp add --transport http {name} {url} --header 'Authorization: Bearer ${{CONNECT_TOKEN}}'"
            ),
            json: serde_json::to_string_pretty(&server).unwrap_or_default(),
        };
        answer(self.brand, status, &page, Forms::None)
    }
}
