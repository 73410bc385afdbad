//! The facts each page shows.

use std::time::Duration;

use http::StatusCode;

use super::brand::Brand;

/// Where a page's form is posted, and the hidden fields it carries (anti-forgery token, flow id).
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    /// A path on this origin.
    pub(crate) action: &'a str,
    /// Names and values, sent back as they are.
    pub(crate) hidden: &'a [(&'a str, &'a str)],
}

/// Where the answer of an authorization goes.
#[derive(Clone, Copy)]
pub(crate) enum Destination<'a> {
    /// A loopback redirect: whatever program listens there.
    ThisComputer,
    /// The device that shows the person a code.
    OtherDevice,
    /// An https redirect, by its host.
    Web(&'a str),
    /// A custom scheme, which an installed application has claimed.
    App(&'a str),
}

/// What is known about the client that asks.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    /// The name it gave itself: not verified by anyone.
    pub(crate) name: Option<&'a str>,
    /// The host of its client id, when the id is a URL whose document was fetched.
    pub(crate) id_host: Option<&'a str>,
    /// Where the answer goes.
    pub(crate) destination: Destination<'a>,
}

/// A requested scope.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The scope token.
    pub(crate) name: &'a str,
    /// What it allows, in plain words; a scope without a description shows its name.
    pub(crate) description: Option<&'a str>,
}

/// Asks whether a client may act for the person: posts `decision=allow` or `decision=cancel`.
pub(crate) struct ConsentPage<'a> {
    pub(crate) brand: &'a Brand,
    pub(crate) client: Client<'a>,
    /// The name of the service the client wants to reach.
    pub(crate) service: &'a str,
    pub(crate) scopes: &'a [Scope<'a>],
    /// How long the access lasts without asking again, when the client can renew it by itself.
    pub(crate) renewable_for: Option<Duration>,
    /// Who is signed in, when that is known already.
    pub(crate) person: Option<&'a str>,
    pub(crate) form: Form<'a>,
}

/// Asks for a user name and a password: posts `username` and `password`, or `decision=cancel`.
pub(crate) struct SignInPage<'a> {
    pub(crate) brand: &'a Brand,
    /// The client the person is signing in for.
    pub(crate) client_name: Option<&'a str>,
    /// The user name typed before.
    pub(crate) username: &'a str,
    /// Whether the attempt before failed.
    pub(crate) failed: bool,
    pub(crate) form: Form<'a>,
}

/// An identity provider to choose.
#[derive(Clone, Copy)]
pub(crate) struct Provider<'a> {
    pub(crate) id: &'a str,
    pub(crate) label: &'a str,
}

/// Asks where the person's account is: posts `idp=<provider id>`, or `decision=cancel`.
pub(crate) struct ChooserPage<'a> {
    pub(crate) brand: &'a Brand,
    /// The client the person is signing in for.
    pub(crate) client_name: Option<&'a str>,
    pub(crate) providers: &'a [Provider<'a>],
    /// Whether an e-mail address can say which: posts `email` then.
    pub(crate) by_email: bool,
    /// The address typed before, which belongs to no provider.
    pub(crate) unknown: Option<&'a str>,
    pub(crate) form: Form<'a>,
}

/// Says what went wrong and what to do about it.
pub(crate) struct ErrorPage<'a> {
    pub(crate) brand: &'a Brand,
    pub(crate) status: StatusCode,
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// What the reader can do.
    pub(crate) remedy: Option<&'a str>,
    /// The request id an operator finds in the log.
    pub(crate) reference: Option<&'a str>,
}
