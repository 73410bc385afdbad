//! From the facts of a page to its markup.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::brand::Brand;
use super::display::{display_host, display_scheme, display_text, has_lookalikes, initial};
use super::response::{Forms, answer};
use super::view::{ChooserPage, ConsentPage, Destination, ErrorPage, Form, Provider, Scope, SignInPage};

pub(super) const MAX_NAME: usize = 60;
const MAX_PROSE: usize = 600;
const UNNAMED: &str = "An application without a name";

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentHtml<'a> {
    brand: &'a Brand,
    client_name: String,
    client_initial: String,
    service: String,
    service_initial: String,
    loopback: bool,
    lookalike: bool,
    id_host: Option<String>,
    destination: Shown,
    scopes: Vec<ScopeLine<'a>>,
    renewable_days: Option<u64>,
    person: Option<String>,
    form: Form<'a>,
}

/// A [`Destination`] made safe to read.
enum Shown {
    ThisComputer,
    OtherDevice,
    Web(String),
    App(String),
}

/// A [`Scope`] made safe to read.
pub(super) struct ScopeLine<'a> {
    pub(super) name: String,
    pub(super) description: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInHtml<'a> {
    brand: &'a Brand,
    client_name: Option<String>,
    username: &'a str,
    failed: bool,
    form: Form<'a>,
}

#[derive(Template)]
#[template(path = "chooser.html")]
struct ChooserHtml<'a> {
    brand: &'a Brand,
    client_name: Option<String>,
    providers: &'a [Provider<'a>],
    by_email: bool,
    unknown: Option<&'a str>,
    form: Form<'a>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorHtml<'a> {
    brand: &'a Brand,
    status: StatusCode,
    title: &'a str,
    text: String,
    remedy: Option<String>,
    reference: Option<String>,
}

impl ConsentPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let client_name = shown_name(self.client.name);
        let service = display_text(self.service, MAX_NAME);
        let page = ConsentHtml {
            brand: self.brand,
            client_initial: initial(&client_name),
            service_initial: initial(&service),
            loopback: matches!(self.client.destination, Destination::ThisComputer),
            lookalike: has_lookalikes(&client_name),
            client_name,
            service,
            id_host: self.client.id_host.map(display_host),
            destination: match self.client.destination {
                Destination::ThisComputer => Shown::ThisComputer,
                Destination::OtherDevice => Shown::OtherDevice,
                Destination::Web(host) => Shown::Web(display_host(host)),
                Destination::App(scheme) => Shown::App(display_scheme(scheme)),
            },
            scopes: scope_lines(self.scopes),
            // Begun days count: never less than what is granted.
            renewable_days: self.renewable_for.map(|time| time.as_secs().div_ceil(24 * 60 * 60)),
            person: self.person.map(|person| display_text(person, MAX_NAME)),
            form: self.form,
        };
        answer(self.brand, status, &page, Forms::Redirecting)
    }
}

impl SignInPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let page = SignInHtml {
            brand: self.brand,
            client_name: self.client_name.map(|name| shown_name(Some(name))),
            username: self.username,
            failed: self.failed,
            form: self.form,
        };
        answer(self.brand, status, &page, Forms::Redirecting)
    }
}

impl ChooserPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let page = ChooserHtml {
            brand: self.brand,
            client_name: self.client_name.map(|name| shown_name(Some(name))),
            providers: self.providers,
            by_email: self.by_email,
            unknown: self.unknown,
            form: self.form,
        };
        answer(self.brand, status, &page, Forms::Redirecting)
    }
}

impl Provider<'_> {
    fn initial(&self) -> String {
        initial(self.label)
    }
}

impl ErrorPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self) -> Response {
        let page = ErrorHtml {
            brand: self.brand,
            status: self.status,
            title: self.title,
            text: display_text(self.text, MAX_PROSE),
            remedy: self.remedy.map(|remedy| display_text(remedy, MAX_PROSE)),
            reference: self.reference.map(|reference| display_text(reference, MAX_NAME)),
        };
        answer(self.brand, self.status, &page, Forms::None)
    }
}

pub(super) fn scope_lines<'a>(scopes: &[Scope<'a>]) -> Vec<ScopeLine<'a>> {
    let line = |scope: &Scope<'a>| ScopeLine {
        name: display_text(scope.name, MAX_NAME),
        description: scope.description,
    };
    scopes.iter().map(line).collect()
}

pub(super) fn shown_name(name: Option<&str>) -> String {
    let name = display_text(name.unwrap_or_default(), MAX_NAME);
    if name.is_empty() { UNNAMED.to_owned() } else { name }
}
