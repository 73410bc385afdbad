//! Clients that the operator registers: `[[client]]`.

use std::{collections::BTreeSet, fmt, str::FromStr};

use oauth_server::{
    OperatorClient, ReplayWindow,
    store::{ClientAuthentication, ClientKeys, ClientSettings, GrantType, SecretMethod},
};
use serde_json::{Map, Value};
use settings::{Secret, Section, Span};

use super::{Service, read::SPAN, values::Invalid};

/// A client and the secret that it shares with us.
#[derive(Debug)]
pub struct Client {
    /// What it is.
    pub description: ClientDescription,
    /// Its secret.
    pub secret: Option<Secret>,
}

/// What a configuration or a command says about a client.
#[derive(Clone, Debug)]
pub struct ClientDescription {
    /// The `client_id`.
    pub id: String,
    /// What people read.
    pub name: Option<String>,
    /// How it authenticates.
    pub method: ClientMethod,
    /// Its public keys, as a JSON Web Key Set.
    pub jwks: Map<String, Value>,
    /// Where its public keys are, if not here.
    pub jwks_uri: Option<String>,
    /// The one algorithm of its assertions.
    pub signing_alg: Option<String>,
    /// Where it receives codes.
    pub redirect_uris: Vec<String>,
    /// What it may do at the token endpoint.
    pub grant_types: Vec<GrantTypeName>,
    /// Its tenant, when it acts for itself.
    pub tenant: Option<String>,
    /// Its claims for rules and tags, when it acts for itself.
    pub hints: Map<String, Value>,
    /// The services that it may call for itself, by name.
    pub services: Vec<String>,
    /// The services that it is, by name: it may look into the tokens for them and exchange them.
    pub serves: Vec<String>,
    /// The scopes that it may have for itself.
    pub scopes: Vec<String>,
    /// How long a used refresh token may be sent again.
    pub refresh_replay: Option<ReplayWindow>,
    /// Whether it must push its authorization requests.
    pub require_pushed_authorization_requests: bool,
    /// Whether its tokens must be bound to a key.
    pub dpop_bound_access_tokens: bool,
}

/// How a client authenticates (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMethod {
    /// It cannot.
    None,
    /// With a secret.
    Secret(SecretMethod),
    /// With assertions that it signs.
    PrivateKeyJwt,
}

impl ClientMethod {
    pub(crate) const EXPECTED: &str =
        "\"none\", \"client_secret_basic\", \"client_secret_post\" or \"private_key_jwt\"";
}

impl FromStr for ClientMethod {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "client_secret_basic" => Ok(Self::Secret(SecretMethod::Basic)),
            "client_secret_post" => Ok(Self::Secret(SecretMethod::Post)),
            "private_key_jwt" => Ok(Self::PrivateKeyJwt),
            _ => Err(Invalid),
        }
    }
}

/// A grant type, by its registered name or the last part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantTypeName(pub GrantType);

impl GrantTypeName {
    pub(crate) const EXPECTED: &str = "one of authorization_code, refresh_token, device_code, client_credentials, \
                                       jwt-bearer, token-exchange";
}

impl FromStr for GrantTypeName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let long = || GrantType::from_name(&format!("urn:ietf:params:oauth:grant-type:{text}"));
        GrantType::from_name(text).or_else(long).map(Self).ok_or(Invalid)
    }
}

/// Why a description is not one of a client.
#[derive(Debug)]
pub(crate) struct DescriptionProblem {
    /// The setting.
    pub(crate) key: &'static str,
    /// What is wrong with it.
    pub(crate) found: String,
    /// What would be right.
    pub(crate) expected: &'static str,
}

impl fmt::Display for DescriptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.key, self.found, self.expected)
    }
}

impl ClientDescription {
    /// Its keys, if it signs assertions.
    pub(crate) fn keys(&self) -> Result<Option<ClientKeys>, DescriptionProblem> {
        let problem = |key, found: String, expected| DescriptionProblem { key, found, expected };
        if self.method != ClientMethod::PrivateKeyJwt {
            return match (self.jwks.is_empty(), &self.jwks_uri) {
                (true, None) => Ok(None),
                _ => Err(problem("jwks", "keys".into(), "none, unless authentication is private_key_jwt")),
            };
        }
        match (&self.jwks_uri, self.jwks.is_empty()) {
            (Some(uri), true) if uri.starts_with("https://") => Ok(Some(ClientKeys::Uri(uri.clone()))),
            (Some(uri), true) => Err(problem("jwks_uri", format!("{uri:?}"), "an https URL")),
            (None, false) => {
                let keys = ClientKeys::inline(Value::Object(self.jwks.clone()).to_string());
                let expected = "a JSON Web Key Set of public keys";
                keys.map(Some).map_err(|error| problem("jwks", format!("one that {error}"), expected))
            }
            _ => Err(problem("jwks", "both or neither of jwks and jwks_uri".into(), "one of them")),
        }
    }

    /// What the authorization server is told.
    pub(crate) fn operator_client(
        &self,
        authentication: ClientAuthentication,
        public_url: &str,
        services: &[Service],
    ) -> Result<OperatorClient, DescriptionProblem> {
        let uris = |key: &'static str, names: &[String]| {
            let uri = |name: &String| {
                let service = services.iter().find(|service| service.name.as_str() == name);
                service.map(|service| format!("{public_url}{}", service.path.as_str())).ok_or_else(|| {
                    let found = format!("{name:?}");
                    DescriptionProblem { key, found, expected: "the name of a [[service]]" }
                })
            };
            names.iter().map(uri).collect::<Result<Vec<_>, _>>()
        };
        Ok(OperatorClient {
            id: self.id.clone(),
            name: self.name.clone(),
            authentication,
            redirect_uris: self.redirect_uris.clone(),
            grant_types: self.grant_types.iter().map(|name| name.0).collect::<BTreeSet<_>>(),
            settings: ClientSettings {
                tenant: self.tenant.clone(),
                hints: self.hints.clone(),
                resources: uris("services", &self.services)?,
                serves: uris("serves", &self.serves)?,
                scopes: self.scopes.clone(),
                refresh_replay: self.refresh_replay,
                require_pushed_authorization_requests: self.require_pushed_authorization_requests,
                dpop_bound_access_tokens: self.dpop_bound_access_tokens,
                token_endpoint_auth_signing_alg: self.signing_alg.clone(),
                ..ClientSettings::default()
            },
        })
    }
}

/// Reads one `[[client]]`.
pub(super) fn client(mut section: Section<'_>) -> Option<Client> {
    let id = section.required("id", "the client_id");
    let name = section.optional("name", "what people read on the consent page");
    let method = section.required("authentication", ClientMethod::EXPECTED);
    let secret = section.secret("secret");
    let jwks = section.json("jwks");
    let jwks_uri = section.optional("jwks_uri", "an https URL");
    let signing_alg = section.optional("signing_alg", "an algorithm such as ES256");
    let redirect_uris = section.list("redirect_uris", "a redirect whose host is on allowed_hosts");
    let grant_types = section.list("grant_types", GrantTypeName::EXPECTED);
    let tenant = section.optional("tenant", "the tenant's identifier");
    let hints = section.json("hints");
    let services = section.list("services", "the name of a [[service]]");
    let serves = section.list("serves", "the name of a [[service]]");
    let scopes = section.list("scopes", "a scope");
    let replay = section.optional::<Span>("refresh_replay", SPAN);
    let pushed = section.or("require_pushed_authorization_requests", "true or false", false);
    let bound = section.or("dpop_bound_access_tokens", "true or false", false);
    let refresh_replay = replay.map(|span| ReplayWindow::new(span.0)).transpose();
    if let Err(too_long) = &refresh_replay {
        let found = format!("{} seconds", too_long.found.as_secs());
        section.contradiction("refresh_replay", &found, "between 0s, which means never, and 300s");
    }
    let description = ClientDescription {
        id: id?,
        name,
        method: method?,
        jwks,
        jwks_uri,
        signing_alg,
        redirect_uris,
        grant_types,
        tenant,
        hints,
        services,
        serves,
        scopes,
        refresh_replay: refresh_replay.ok()?,
        require_pushed_authorization_requests: pushed?,
        dpop_bound_access_tokens: bound?,
    };
    if let Err(problem) = description.keys() {
        section.contradiction(problem.key, &problem.found, problem.expected);
    }
    match (description.method, &secret) {
        (ClientMethod::Secret(_), None) => section.contradiction(
            "secret",
            "nothing",
            "a reference to the secret: { file = \"path\" }, { env = \"NAME\" } or { secretsmanager = \"arn\" }",
        ),
        (ClientMethod::None | ClientMethod::PrivateKeyJwt, Some(_)) => {
            section.contradiction("secret", "a secret", "none, unless the authentication is by a secret");
        }
        _ => {}
    }
    Some(Client { description, secret })
}
