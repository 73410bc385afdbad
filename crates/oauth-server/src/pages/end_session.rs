//! The page that asks whether to sign out.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{
    brand::Brand,
    html::shown_name,
    response::{Forms, answer},
    view::Form,
};

/// Asks whether the person wants to sign out: posts `decision=sign-out` or `decision=cancel`.
pub(crate) struct EndSessionPage<'a> {
    pub(crate) brand: &'a Brand,
    /// What the person is called.
    pub(crate) person: &'a str,
    /// The name of the client that sent them here.
    pub(crate) client_name: Option<&'a str>,
    pub(crate) form: Form<'a>,
}

#[derive(Template)]
#[template(path = "end_session.html")]
struct EndSessionHtml<'a> {
    brand: &'a Brand,
    person: String,
    client_name: Option<String>,
    form: Form<'a>,
}

impl EndSessionPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let page = EndSessionHtml {
            brand: self.brand,
            person: shown_name(Some(self.person)),
            client_name: self.client_name.map(|name| shown_name(Some(name))),
            form: self.form,
        };
        answer(self.brand, status, &page, Forms::Redirecting)
    }
}
