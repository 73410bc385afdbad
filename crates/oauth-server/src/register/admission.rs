//! Who may register, and how often (RFC 7591 §3).

use std::num::NonZeroU32;

use connect_hosts::{AllowedHosts, RedirectPolicy};
use http::{HeaderMap, header};
use limits::{Limited, RateLimit};

use super::RegisterError;
use crate::{
    client_address::ClientAddress, error::Unavailable, random::Digest, rates::RateByName, server::Server,
};

/// Who may register a client by themselves. Every redirect must be on the operator's list in any case.
#[derive(Clone, Debug, Default)]
pub enum RegistrationMode {
    /// Nobody: the operator registers clients.
    Off,
    /// Whoever has an initial access token, and clients whose every redirect is on this list too.
    AllowList(AllowedHosts),
    /// Anybody.
    #[default]
    Open,
}

/// How many registrations and changes one address may make; an IPv6 address counts as its /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationRate {
    /// An hour.
    pub per_hour: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

impl Default for RegistrationRate {
    /// 600 an hour, 60 at once: an office behind one address gets its clients, a flood does not.
    fn default() -> Self {
        const PER_HOUR: NonZeroU32 = NonZeroU32::new(600).unwrap();
        const BURST: NonZeroU32 = NonZeroU32::new(60).unwrap();
        Self { per_hour: PER_HOUR, burst: BURST }
    }
}

/// The door of this process.
pub(crate) struct Admission {
    mode: Mode,
    by_address: RateByName,
}

enum Mode {
    Off,
    AllowList(RedirectPolicy),
    Open,
}

impl Admission {
    pub(crate) fn new(mode: &RegistrationMode, rate: RegistrationRate) -> Self {
        let mode = match mode {
            RegistrationMode::Off => Mode::Off,
            RegistrationMode::AllowList(hosts) => Mode::AllowList(RedirectPolicy::new(hosts.clone())),
            RegistrationMode::Open => Mode::Open,
        };
        Self { mode, by_address: RateByName::of(|| RateLimit::per_hour(rate.per_hour, rate.burst)) }
    }

    /// Counts what an address does, before anything else is looked at.
    pub(super) fn count(&self, address: Option<ClientAddress>) -> Result<(), Limited> {
        address.map_or(Ok(()), |address| self.by_address.check(&address.network()))
    }

    /// Whether anybody may register at all.
    pub(super) fn is_open(&self) -> Result<(), RegisterError> {
        if matches!(self.mode, Mode::Off) { Err(RegisterError::Off) } else { Ok(()) }
    }

    /// Whether these redirects may be registered without a token.
    fn admits(&self, redirects: &[String], registered: &[String]) -> bool {
        match &self.mode {
            Mode::Off => false,
            Mode::AllowList(extra) => redirects
                .iter()
                .all(|redirect| registered.contains(redirect) || extra.check(redirect).is_ok()),
            Mode::Open => true,
        }
    }

    /// Whether a client may change to these redirects: what it has it keeps, more only as far as it could register.
    pub(super) fn check_change(
        &self,
        redirects: &[String],
        registered: &[String],
    ) -> Result<(), RegisterError> {
        self.is_open()?;
        if self.admits(redirects, registered) { Ok(()) } else { Err(RegisterError::NotAdmitted) }
    }
}

/// Lets a registration in, with one use of its initial access token where it needs one. To be called last: the use is gone
/// whatever happens then.
pub(super) async fn admit(
    server: &Server,
    headers: &HeaderMap,
    redirects: &[String],
) -> Result<(), RegisterError> {
    if server.admission.admits(redirects, &[]) {
        return Ok(());
    }
    let Some(token) = bearer(headers) else { return Err(RegisterError::NotAdmitted) };
    let used = server.store.use_registration_token(&Digest::of_text(token), server.now()).await;
    if used.map_err(Unavailable::from)? { Ok(()) } else { Err(RegisterError::Token) }
}

/// The one token of a request (RFC 6750 §2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
