//! The page about a person's own account.

use std::time::SystemTime;

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{
    brand::Brand,
    display::{display_host, display_text, has_lookalikes, initial},
    html::{MAX_NAME, ScopeLine, scope_lines, shown_name},
    response::{Forms, answer},
    time_words::Moment,
    view::Scope,
};
use crate::{account_facts::Facts, store::ActivityKind};

const MAX_REASON: usize = 200;

/// What is connected in a person's name, what they may do and what happened. Posts `grant` to `/account/revoke` to end
/// one, nothing to end all, and to `/account/sign-out`.
pub(crate) struct AccountPage<'a> {
    pub(crate) brand: &'a Brand,
    /// What the person is called.
    pub(crate) person: &'a str,
    /// Where they signed in.
    pub(crate) source: Option<&'a str>,
    /// What was just done, in words of ours.
    pub(crate) notice: Option<&'a str>,
    pub(crate) connections: Vec<Connection<'a>>,
    /// Where more of them are.
    pub(crate) more: Option<&'a str>,
    pub(crate) standings: Vec<Standing<'a>>,
    pub(crate) activity: Vec<Entry<'a>>,
    /// Whether tokens can be taken.
    pub(crate) portal: bool,
    /// The anti-forgery value of each form.
    pub(crate) csrf: &'a str,
    pub(crate) now: SystemTime,
}

/// A grant.
pub(crate) struct Connection<'a> {
    pub(crate) id: &'a str,
    /// The name that the client gave itself.
    pub(crate) client_name: Option<&'a str>,
    /// The host of its client id, when the id is a URL.
    pub(crate) id_host: Option<String>,
    /// The name of the service.
    pub(crate) service: &'a str,
    /// The device it was connected from, in words.
    pub(crate) device: Option<&'a str>,
    pub(crate) since: SystemTime,
    pub(crate) last_used: Option<SystemTime>,
    pub(crate) expires: SystemTime,
    /// The role, or why there is none; absent when nobody says.
    pub(crate) role: Option<Result<String, String>>,
    pub(crate) scopes: Vec<Scope<'a>>,
}

/// What the person may do at a service.
pub(crate) struct Standing<'a> {
    pub(crate) service: &'a str,
    pub(crate) facts: Facts,
}

/// Something that happened.
pub(crate) struct Entry<'a> {
    pub(crate) kind: ActivityKind,
    pub(crate) at: SystemTime,
    pub(crate) client: Option<&'a str>,
    pub(crate) device: Option<&'a str>,
    pub(crate) network: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountHtml<'a> {
    brand: &'a Brand,
    person: String,
    source: Option<String>,
    notice: Option<&'a str>,
    connections: Vec<ConnectionHtml<'a>>,
    more: Option<&'a str>,
    standings: Vec<StandingHtml>,
    activity: Vec<EntryHtml>,
    portal: bool,
    csrf: &'a str,
}

struct ConnectionHtml<'a> {
    id: &'a str,
    name: String,
    initial: String,
    lookalike: bool,
    id_host: Option<String>,
    service: String,
    device: Option<String>,
    since: Moment,
    last_used: Option<Moment>,
    expires: Moment,
    role: Option<Result<String, String>>,
    scopes: Vec<ScopeLine<'a>>,
}

struct StandingHtml {
    service: String,
    role: Option<String>,
    words: String,
}

struct EntryHtml {
    words: &'static str,
    /// Whether the person should look twice.
    alarming: bool,
    client: Option<String>,
    at: Moment,
    place: String,
}

impl AccountPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let page = AccountHtml {
            brand: self.brand,
            person: shown_name(Some(self.person)),
            source: self.source.map(|source| display_text(source, MAX_NAME)),
            notice: self.notice,
            connections: self.connections.iter().map(|found| found.html(self.now)).collect(),
            more: self.more,
            standings: self.standings.iter().map(Standing::html).collect(),
            activity: self.activity.iter().map(Entry::html).collect(),
            portal: self.portal,
            csrf: self.csrf,
        };
        answer(self.brand, status, &page, Forms::Own)
    }
}

impl<'a> Connection<'a> {
    fn html(&self, now: SystemTime) -> ConnectionHtml<'a> {
        let name = shown_name(self.client_name);
        let short = |text: &String| display_text(text, MAX_REASON);
        ConnectionHtml {
            id: self.id,
            initial: initial(&name),
            lookalike: has_lookalikes(&name),
            name,
            id_host: self.id_host.as_deref().map(display_host),
            service: display_text(self.service, MAX_NAME),
            device: self.device.map(|device| display_text(device, MAX_NAME)),
            since: Moment::day(self.since),
            last_used: self.last_used.map(|at| Moment::ago(at, now)),
            expires: Moment::day(self.expires),
            role: self.role.as_ref().map(|role| role.as_ref().map(short).map_err(short)),
            scopes: scope_lines(&self.scopes),
        }
    }
}

impl Standing<'_> {
    fn html(&self) -> StandingHtml {
        let (role, words) = match &self.facts {
            Facts::Served { role, requests_per_minute, burst } => {
                let words = match (requests_per_minute, burst) {
                    (Some(calls), Some(burst)) => {
                        format!("{calls} calls in a minute, at most {burst} of them at once")
                    }
                    (Some(calls), None) => format!("{calls} calls in a minute"),
                    (None, Some(burst)) => format!("At most {burst} calls at once"),
                    (None, None) => "No limit on calls".to_owned(),
                };
                (Some(display_text(role, MAX_NAME)), words)
            }
            Facts::NotServed { reason } => (None, display_text(reason, MAX_REASON)),
        };
        StandingHtml { service: display_text(self.service, MAX_NAME), role, words }
    }
}

impl Entry<'_> {
    fn html(&self) -> EntryHtml {
        let (words, alarming) = match self.kind {
            ActivityKind::SignedIn => ("Signed in to this page", false),
            ActivityKind::SignInRefused => ("A sign-in was refused: the password was wrong", true),
            ActivityKind::Connected => ("Connected", false),
            ActivityKind::Disconnected => ("Disconnected", false),
            ActivityKind::AllDisconnected => ("Disconnected everything", false),
            ActivityKind::DisconnectedByClient => ("Disconnected itself:", false),
            ActivityKind::DisconnectedAfterReplay => {
                ("An application was disconnected for safety: its credential was used twice", true)
            }
            ActivityKind::TokenTaken => ("Took a token from the portal for", false),
        };
        let place = [self.device, self.network].into_iter().flatten();
        let place: Vec<String> = place.map(|text| display_text(text, MAX_NAME)).collect();
        EntryHtml {
            words,
            alarming,
            client: self.client.map(|name| shown_name(Some(name))),
            at: Moment::exact(self.at),
            place: place.join(" · "),
        }
    }
}
