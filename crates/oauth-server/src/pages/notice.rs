//! A page that says one thing and leads on.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{
    brand::Brand,
    response::{Forms, answer},
};

/// Says something in words of ours.
#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct NoticePage<'a> {
    pub(crate) brand: &'a Brand,
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// Where to go on: words and a path on this origin.
    pub(crate) link: Option<(&'a str, &'a str)>,
}

impl NoticePage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        answer(self.brand, status, self, Forms::None)
    }
}
