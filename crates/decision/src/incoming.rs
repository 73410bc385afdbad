//! Reading the headers back, strictly.

use std::{collections::BTreeSet, str::FromStr};

use http::{HeaderMap, HeaderName};
use serde_json::Value;

use crate::{
    AccountId, DECIDED_ROLE, DECISION_SIGNATURE, Decision, InvalidSessionTags, MAX_DECISION_BYTES,
    POLICY_CONTEXT, Partition, PolicyContext, REQUEST_ID, RequestId, RoleArn, SESSION_TAGS, SOURCE_IDENTITY,
    SessionTags, json::Members, names::look_alike_of,
};

/// Which roles a service is willing to assume, whatever the gateway says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// The accounts that roles may be of; `None` leaves that to the gateway, an empty set accepts no role.
    pub allowed_accounts: Option<BTreeSet<AccountId>>,
    /// The partition that roles must be of.
    pub partition: Partition,
}

impl Acceptance {
    fn check(&self, role: &RoleArn) -> Result<(), Reason> {
        if role.partition() != self.partition {
            return Err(Reason::OtherPartition);
        }
        match &self.allowed_accounts {
            Some(accounts) if !accounts.contains(&role.account()) => Err(Reason::AccountNotAllowed),
            _ => Ok(()),
        }
    }
}

/// A request as it arrives at a service.
#[derive(Debug)]
pub struct Incoming;

impl Incoming {
    /// Reads the decision and the request's id from the headers of a request.
    ///
    /// # Errors
    /// [`DecisionRefused`] unless each header is there exactly once, no look-alike of one is, and each has exactly
    /// the form that the gateway writes. The request is then answered with 403.
    pub fn from_headers(
        headers: &HeaderMap,
        acceptance: &Acceptance,
    ) -> Result<(Decision, RequestId), DecisionRefused> {
        refuse_look_alikes(headers)?;
        if headers.contains_key(DECISION_SIGNATURE) {
            return Err(Reason::SignatureNotSupported.at(DECISION_SIGNATURE));
        }
        let mut reader = Reader { headers, left: MAX_DECISION_BYTES };
        let role = reader.read(DECIDED_ROLE, |text| read_role(text, acceptance))?;
        let source_identity = reader.read(SOURCE_IDENTITY, read_plain)?;
        let tags = reader.read(SESSION_TAGS, read_tags)?;
        let context = reader.read(POLICY_CONTEXT, read_context)?;
        let request_id = reader.read(REQUEST_ID, read_plain)?;
        Ok((Decision { role, source_identity, tags, context }, request_id))
    }
}

fn refuse_look_alikes(headers: &HeaderMap) -> Result<(), DecisionRefused> {
    headers.keys().find_map(look_alike_of).map_or(Ok(()), |name| Err(Reason::LookAlike.at(name)))
}

struct Reader<'a> {
    headers: &'a HeaderMap,
    /// What is left of [`MAX_DECISION_BYTES`].
    left: usize,
}

impl Reader<'_> {
    /// Reads the only instance of a header.
    fn read<T>(
        &mut self,
        name: HeaderName,
        parse: impl FnOnce(&str) -> Result<T, Reason>,
    ) -> Result<T, DecisionRefused> {
        let mut instances = self.headers.get_all(&name).iter();
        let parsed = match (instances.next(), instances.next()) {
            (None, _) => Err(Reason::Missing),
            (Some(_), Some(_)) => Err(Reason::Repeated),
            (Some(value), None) => match self.left.checked_sub(name.as_str().len() + value.len()) {
                None => Err(Reason::TooLarge),
                Some(left) => {
                    self.left = left;
                    value.to_str().map_err(|_| Reason::Malformed).and_then(parse)
                }
            },
        };
        parsed.map_err(|reason| reason.at(name))
    }
}

/// Reads a value that never has a comma, with which proxies join instances.
fn read_plain<T: FromStr>(text: &str) -> Result<T, Reason> {
    text.parse().map_err(|_| if text.contains(',') { Reason::CommaJoined } else { Reason::Malformed })
}

fn read_role(text: &str, acceptance: &Acceptance) -> Result<RoleArn, Reason> {
    let role = read_plain(text)?;
    acceptance.check(&role)?;
    Ok(role)
}

fn read_tags(text: &str) -> Result<SessionTags, Reason> {
    let Members(members) = serde_json::from_str(text).map_err(|_| Reason::Malformed)?;
    let strings = members.into_iter().map(|(key, value)| match value {
        Value::String(value) => Ok((key, value)),
        _ => Err(Reason::NotAString),
    });
    let pairs: Vec<_> = strings.collect::<Result<_, _>>()?;
    SessionTags::from_pairs(pairs).map_err(|error| match error {
        InvalidSessionTags::DuplicateKey => Reason::DuplicateKey,
        _ => Reason::InvalidTag,
    })
}

fn read_context(text: &str) -> Result<PolicyContext, Reason> {
    PolicyContext::from_json(text).ok_or(Reason::Malformed)
}

/// A service refuses a request because of its decision headers. It names the header and a reason, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header {header} is refused: {}", reason.as_str())]
pub struct DecisionRefused {
    header: HeaderName,
    reason: Reason,
}

impl DecisionRefused {
    /// The header, in the spelling of the contract even when a look-alike was there.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// A stable machine-readable word for why: `missing`, `repeated`, `comma_joined`, `look_alike`, `too_large`,
    /// `malformed`, `not_a_string`, `duplicate_key`, `invalid_tag`, `other_partition`, `account_not_allowed` or
    /// `signature_not_supported`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason.as_str()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Missing,
    Repeated,
    CommaJoined,
    LookAlike,
    TooLarge,
    Malformed,
    NotAString,
    DuplicateKey,
    InvalidTag,
    OtherPartition,
    AccountNotAllowed,
    SignatureNotSupported,
}

impl Reason {
    fn at(self, header: HeaderName) -> DecisionRefused {
        DecisionRefused { header, reason: self }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Repeated => "repeated",
            Self::CommaJoined => "comma_joined",
            Self::LookAlike => "look_alike",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::NotAString => "not_a_string",
            Self::DuplicateKey => "duplicate_key",
            Self::InvalidTag => "invalid_tag",
            Self::OtherPartition => "other_partition",
            Self::AccountNotAllowed => "account_not_allowed",
            Self::SignatureNotSupported => "signature_not_supported",
        }
    }
}
