//! Clients that the operator registers, in the configuration or by command, instead of their registering themselves.

use std::{collections::BTreeSet, time::SystemTime};

use connect_hosts::RedirectPolicy;
use oidc_verify::CLIENT_ASSERTION_ALGORITHMS;
use secrecy::SecretString;

use crate::{
    config::is_scope_token,
    random::{Randomness, RandomnessUnavailable, identifier, secret},
    register::check_name,
    store::{Client, ClientAuthentication, ClientOrigin, ClientSettings, GrantType},
};

const MAX_ID: usize = 128;

/// What an operator says about a client.
#[derive(Clone, Debug)]
pub struct OperatorClient {
    /// The `client_id`: 1 to 128 letters, digits, `.`, `_`, `~` and `-`, so that it can be no URL of a client's own document.
    pub id: String,
    /// What people read on the consent page.
    pub name: Option<String>,
    /// How it authenticates.
    pub authentication: ClientAuthentication,
    /// Where it receives codes.
    pub redirect_uris: Vec<String>,
    /// What it may present at the token endpoint.
    pub grant_types: BTreeSet<GrantType>,
    /// What else is agreed with it.
    pub settings: ClientSettings,
}

/// What an operator says about a client does not hold together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorClientProblem {
    /// The identifier.
    #[error("id {found:?} is not 1 to 128 letters, digits, '.', '_', '~' and '-'")]
    Id {
        /// The value.
        found: String,
    },
    /// The name.
    #[error("name {0}")]
    Name(&'static str),
    /// There is nothing that it may do.
    #[error("grant_types is empty: name at least one, such as authorization_code or client_credentials")]
    NoGrantType,
    /// It gets codes and no redirect to receive them, or the other way round.
    #[error("redirect_uris and the grant type authorization_code go together: give both or neither")]
    RedirectsAndCodes,
    /// A redirect that may not receive codes.
    #[error("redirect_uris: {found:?} is not allowed ({reason}): put its host on allowed_hosts")]
    Redirect {
        /// The value.
        found: String,
        /// Why.
        reason: &'static str,
    },
    /// A client that anybody can claim to be.
    #[error("the grant type {} needs a client that authenticates: choose another authentication than none", .0.as_str())]
    Public(GrantType),
    /// A scope that nobody could ask for.
    #[error("scopes: {found:?} is not a scope")]
    Scope {
        /// The value.
        found: String,
    },
    /// The algorithm of its assertions.
    #[error("the signing algorithm {found:?} is none of {}", CLIENT_ASSERTION_ALGORITHMS.join(", "))]
    Algorithm {
        /// The value.
        found: String,
    },
}

impl OperatorClient {
    /// The client, if it can work. It stays until the operator removes it.
    ///
    /// # Errors
    /// [`OperatorClientProblem`] with the first thing that is wrong.
    pub fn check(self, redirects: &RedirectPolicy, now: SystemTime) -> Result<Client, OperatorClientProblem> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
        if !(1..=MAX_ID).contains(&self.id.len()) || !self.id.bytes().all(legal) {
            return Err(OperatorClientProblem::Id { found: self.id });
        }
        if let Some(name) = &self.name {
            check_name(name).map_err(OperatorClientProblem::Name)?;
        }
        self.check_grant_types()?;
        for redirect in &self.redirect_uris {
            redirects.check(redirect).map_err(|denied| OperatorClientProblem::Redirect {
                found: redirect.clone(),
                reason: denied.reason(),
            })?;
        }
        if let Some(found) = self.settings.scopes.iter().find(|scope| !is_scope_token(scope)) {
            return Err(OperatorClientProblem::Scope { found: found.clone() });
        }
        let algorithm = self.settings.token_endpoint_auth_signing_alg.as_ref();
        let unknown = |found: &&String| !CLIENT_ASSERTION_ALGORITHMS.contains(&found.as_str());
        if let Some(found) = algorithm.filter(unknown) {
            return Err(OperatorClientProblem::Algorithm { found: found.clone() });
        }
        Ok(Client {
            id: self.id,
            name: self.name,
            authentication: self.authentication,
            redirect_uris: self.redirect_uris,
            grant_types: self.grant_types,
            origin: ClientOrigin::Operator,
            settings: self.settings,
            registered_at: now,
            first_used_at: Some(now),
            registration_token: None,
        })
    }

    fn check_grant_types(&self) -> Result<(), OperatorClientProblem> {
        if self.grant_types.is_empty() {
            return Err(OperatorClientProblem::NoGrantType);
        }
        if self.redirect_uris.is_empty() == self.grant_types.contains(&GrantType::AuthorizationCode) {
            return Err(OperatorClientProblem::RedirectsAndCodes);
        }
        let confidential = [GrantType::ClientCredentials, GrantType::JwtBearer, GrantType::TokenExchange];
        let unproven = confidential.into_iter().find(|kind| self.grant_types.contains(kind));
        match unproven.filter(|_| self.authentication == ClientAuthentication::None) {
            Some(kind) => Err(OperatorClientProblem::Public(kind)),
            None => Ok(()),
        }
    }
}

/// A secret for a client, or a token that lets one register: 256 random bits.
///
/// # Errors
/// When there is no randomness.
pub fn random_secret(source: &dyn Randomness) -> Result<SecretString, RandomnessUnavailable> {
    secret(source)
}

/// An identifier for a client or a token: 128 random bits.
///
/// # Errors
/// When there is no randomness.
pub fn random_identifier(source: &dyn Randomness) -> Result<String, RandomnessUnavailable> {
    identifier(source)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use connect_hosts::{AllowedHosts, RedirectPolicy};

    use super::{OperatorClient, OperatorClientProblem as Problem};
    use crate::store::{ClientAuthentication, ClientKeys, ClientSettings, GrantType};

    fn agent() -> OperatorClient {
        OperatorClient {
            id: "nightly-report".into(),
            name: Some("Nightly report".into()),
            authentication: ClientAuthentication::PrivateKeyJwt(ClientKeys::Uri("https://a.example".into())),
            redirect_uris: vec![],
            grant_types: [GrantType::ClientCredentials].into(),
            settings: ClientSettings::default(),
        }
    }

    fn web() -> OperatorClient {
        OperatorClient {
            authentication: ClientAuthentication::None,
            redirect_uris: vec!["https://claude.ai/callback".into()],
            grant_types: [GrantType::AuthorizationCode].into(),
            ..agent()
        }
    }

    /// SEC-39: an operator's client with an id that is a URL, a redirect off the list, or no authentication for its own tokens -> refused
    #[test]
    fn a_client_that_cannot_work_is_refused_with_the_reason() {
        let redirects = RedirectPolicy::new(AllowedHosts::parse("claude.ai").0);
        let check = |client: OperatorClient| client.check(&redirects, UNIX_EPOCH);
        assert!(check(agent()).unwrap().first_used_at.is_some(), "it is not forgotten");
        assert!(check(web()).is_ok());
        let named = |id: &str| OperatorClient { id: id.into(), ..agent() };
        for id in ["", "https://claude.ai/client.json", "a b", "a/b", "é", &"a".repeat(129)] {
            assert_eq!(check(named(id)), Err(Problem::Id { found: id.into() }), "{id}");
        }
        let settings = |scope: &str, algorithm: &str| ClientSettings {
            scopes: vec![scope.into()],
            token_endpoint_auth_signing_alg: Some(algorithm.into()),
            ..ClientSettings::default()
        };
        let evil = "https://evil.example/";
        let cases = [
            (OperatorClient { grant_types: [].into(), ..agent() }, Problem::NoGrantType),
            (OperatorClient { redirect_uris: vec![], ..web() }, Problem::RedirectsAndCodes),
            (OperatorClient { redirect_uris: web().redirect_uris, ..agent() }, Problem::RedirectsAndCodes),
            (
                OperatorClient { redirect_uris: vec![evil.into()], ..web() },
                Problem::Redirect { found: evil.into(), reason: "not_listed" },
            ),
            (
                OperatorClient { authentication: ClientAuthentication::None, ..agent() },
                Problem::Public(GrantType::ClientCredentials),
            ),
            (
                OperatorClient { name: Some("a\u{202e}b".into()), ..agent() },
                Problem::Name("is blank or has control or direction characters"),
            ),
            (
                OperatorClient { settings: settings("a b", "ES256"), ..agent() },
                Problem::Scope { found: "a b".into() },
            ),
            (
                OperatorClient { settings: settings("a", "HS256"), ..agent() },
                Problem::Algorithm { found: "HS256".into() },
            ),
        ];
        for (client, problem) in cases {
            assert_eq!(check(client), Err(problem));
        }
    }
}
