//! Sign-in at an OpenID Connect provider: authorization code, PKCE, nonce, verified ID token.

pub(crate) mod claims;
mod discovery;
mod error;
mod http;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oidc_verify::TokenVerifier;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreIdTokenVerifier, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse,
    CoreTokenType,
};
use openidconnect::{
    AuthType, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields, IssuerUrl, LoginHint, Nonce,
    NonceVerifier, OAuth2TokenResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope,
    StandardErrorResponse, StandardTokenResponse, TokenResponse,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use self::claims::{Claims, OtherClaims};
use self::discovery::{Discovery, Metadata, is_loopback_http};
use self::error::is_key_unknown;
use self::http::BoundedHttp;
use super::{Identity, IdentityConfigError, check_id};

pub use self::error::{Step, UpstreamError, UpstreamProblem};

/// Asks for a refresh token.
const OFFLINE_ACCESS: &str = "offline_access";

/// How far the provider's clock may be ahead of ours.
const LEEWAY: Duration = Duration::from_mins(1);

/// Asymmetric algorithms only: with HMAC the client secret would sign, and `none` is nobody's signature.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type UpstreamIdToken =
    IdToken<OtherClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

type TokenAnswer = StandardTokenResponse<
    IdTokenFields<
        OtherClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type UpstreamClient = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    TokenAnswer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What an operator configures for one provider.
#[derive(Clone, Debug)]
pub struct OidcUpstreamConfig {
    /// Url-safe id, used in `/callback/<id>`.
    pub id: String,
    /// What the person reads when choosing where to sign in.
    pub label: String,
    /// The issuer, exactly as the provider publishes it. https, or http on loopback.
    pub issuer: String,
    /// The client id this server has at the provider.
    pub client_id: String,
    /// The client secret, unless this server is a public client there.
    pub client_secret: Option<SecretString>,
    /// Scopes to ask for besides `openid`.
    pub scopes: Vec<String>,
    /// JSON pointer to the tenant in the ID token's claims. When set, a token without it is refused.
    pub tenant_claim: Option<String>,
    /// Claims of the ID token to keep as [`Identity::hints`], each of at most 2 KiB.
    pub hint_claims: Vec<String>,
    /// Domains of the e-mail addresses that belong to this provider, in lower case.
    pub domains: Vec<String>,
    /// Whether the provider is asked again at every refresh. It must then issue refresh tokens to this server.
    pub recheck: bool,
}

/// What a sign-in at a provider gave.
#[derive(Debug)]
pub struct UpstreamSignIn {
    /// Who it is.
    pub identity: Identity,
    /// The provider's handle of the sign-in (`sid`).
    pub session: Option<String>,
    /// The token to ask the provider again with, when [`OidcUpstreamConfig::recheck`] is set.
    pub refresh_token: Option<SecretString>,
}

/// What a provider said when it was asked again.
#[derive(Debug)]
pub struct Rechecked {
    /// Who it is by now, if the provider said so.
    pub identity: Option<Identity>,
    /// The token to ask with the next time, if it is another.
    pub refresh_token: Option<SecretString>,
}

/// One OpenID Connect provider. Metadata is fetched at the first sign-in, so that a provider that is down does
/// not keep this server from starting.
#[derive(Debug)]
pub struct OidcUpstream {
    config: Box<OidcUpstreamConfig>,
    discovery: Box<Discovery>,
    logout: Option<TokenVerifier>,
}

impl OidcUpstream {
    /// A provider that is asked through `http`; see [`OidcUpstream::http_client`] for how to build one. Whatever
    /// `http` allows, an answer over 512 KiB, one that takes over 10 s and one that was redirected are refused.
    ///
    /// # Errors
    /// When the id, label, issuer, client id or tenant claim is not of the documented form.
    pub fn new(config: OidcUpstreamConfig, http: reqwest::Client) -> Result<Self, IdentityConfigError> {
        check_id(&config.id)?;
        for (field, value) in [("label", &config.label), ("client_id", &config.client_id)] {
            if value.trim().is_empty() {
                return Err(IdentityConfigError::Empty { field });
            }
        }
        if let Some(pointer) = config.tenant_claim.as_deref().filter(|pointer| !is_pointer(pointer)) {
            return Err(IdentityConfigError::TenantClaim { pointer: pointer.to_owned() });
        }
        let issuer = issuer_url(&config.issuer)?;
        let discovery = Discovery::new(&config.id, issuer, BoundedHttp(http));
        Ok(Self { config: Box::new(config), discovery: Box::new(discovery), logout: None })
    }

    /// Lets the provider end sign-ins by logout tokens that this verifier accepts (OpenID Connect Back-Channel Logout). It
    /// must accept this provider's issuer, our client id as audience, and the types `logout+jwt` and `JWT`.
    #[must_use]
    pub fn accept_logout(mut self, verifier: TokenVerifier) -> Self {
        self.logout = Some(verifier);
        self
    }

    /// What verifies logout tokens, if the provider may send any.
    pub(crate) fn logout(&self) -> Option<&TokenVerifier> {
        self.logout.as_ref()
    }

    /// Whether the provider is asked again at every refresh.
    pub(crate) fn rechecks(&self) -> bool {
        self.config.recheck
    }

    /// Whether e-mail addresses of this domain belong to this provider.
    pub(crate) fn has_domain(&self, domain: &str) -> bool {
        self.config.domains.iter().any(|found| found.eq_ignore_ascii_case(domain))
    }

    /// Whether people can be told apart by the domain of their address.
    pub(crate) fn has_domains(&self) -> bool {
        !self.config.domains.is_empty()
    }

    /// The client builder to start from: redirects are not followed. Add the trust roots of a private CA to it.
    pub fn http_client() -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(10))
    }

    /// The url-safe id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// What the person reads when choosing where to sign in.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.config.label
    }

    /// The URL to send the browser to. `redirect_uri` is this provider's own callback; `state`, `nonce` and the
    /// S256 challenge belong to this one browser and sign-in (SEC-14). `login_hint` is the address that the person typed.
    ///
    /// # Errors
    /// When the provider cannot be reached or its metadata cannot be used.
    pub async fn begin(
        &self,
        redirect_uri: &str,
        state: &str,
        nonce: &str,
        pkce_challenge: &str,
        login_hint: Option<&str>,
    ) -> Result<String, UpstreamError> {
        let metadata = self.discovery.metadata().await?;
        let client = self.client(&metadata);
        let redirect = self.redirect(redirect_uri)?;
        let scopes = self.config.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let (state, nonce) = (CsrfToken::new(state.to_owned()), Nonce::new(nonce.to_owned()));
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .add_scopes(scopes)
            .add_extra_param("code_challenge", pkce_challenge)
            .add_extra_param("code_challenge_method", "S256")
            .set_redirect_uri(Cow::Owned(redirect));
        if let Some(hint) = login_hint {
            request = request.set_login_hint(LoginHint::new(hint.to_owned()));
        }
        // OpenID Connect Core section 11: without it, the request for offline access is ignored.
        if self.config.scopes.iter().any(|scope| scope == OFFLINE_ACCESS) {
            request = request.add_prompt(CoreAuthPrompt::Consent);
        }
        let (url, _, _) = request.url();
        Ok(url.into())
    }

    /// The identity behind `code`, which the browser brought to `redirect_uri`. `iss_param` is the callback's
    /// `iss` parameter; `nonce` and `pkce_verifier` are those of [`begin`](Self::begin); `now` judges the ID token.
    ///
    /// # Errors
    /// When the provider cannot be reached, refuses, or answers with anything but a valid ID token for this
    /// sign-in.
    pub async fn complete(
        &self,
        redirect_uri: &str,
        code: &str,
        iss_param: Option<&str>,
        nonce: &str,
        pkce_verifier: &str,
        now: SystemTime,
    ) -> Result<UpstreamSignIn, UpstreamError> {
        let metadata = self.discovery.metadata().await?;
        // Before the code goes anywhere: it may be another issuer's (RFC 9207 section 2.4).
        self.check_iss(&metadata, iss_param)?;
        let redirect = self.redirect(redirect_uri)?;
        let client = self.client(&metadata);
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| self.error(Step::Token, UpstreamProblem::Endpoint { endpoint: "token_endpoint" }))?
            .set_pkce_verifier(PkceCodeVerifier::new(pkce_verifier.to_owned()))
            .set_redirect_uri(Cow::Owned(redirect));
        let answer = request.request_async(self.discovery.http()).await;
        let answer = answer.map_err(|error| UpstreamError::of_token(self.id(), error))?;
        let token = answer.id_token().ok_or_else(|| self.error(Step::Token, UpstreamProblem::NoIdToken))?;
        let nonce = Nonce::new(nonce.to_owned());
        let claims = self.verify(&metadata, token, &nonce, now).await?;
        let refresh_token = self.config.recheck.then(|| refresh_token(&answer));
        if refresh_token == Some(None) {
            return Err(self.error(Step::Token, UpstreamProblem::NoRefreshToken));
        }
        Ok(UpstreamSignIn {
            identity: self.identity(&claims)?,
            session: claims::session(&claims),
            refresh_token: refresh_token.flatten().map(SecretString::from),
        })
    }

    /// Asks whether the person may still sign in, with the refresh token of their sign-in.
    ///
    /// # Errors
    /// [`UpstreamError::is_refused`] when they may not; anything else when there is no answer to that question.
    pub async fn recheck(
        &self,
        refresh_token: &SecretString,
        subject: &str,
        now: SystemTime,
    ) -> Result<Rechecked, UpstreamError> {
        let metadata = self.discovery.metadata().await?;
        let client = self.client(&metadata);
        let presented = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let request = client.exchange_refresh_token(&presented).map_err(|_| {
            self.error(Step::Recheck, UpstreamProblem::Endpoint { endpoint: "token_endpoint" })
        })?;
        let answer = request.request_async(self.discovery.http()).await;
        let answer = answer.map_err(|error| UpstreamError::of_token(self.id(), error))?;
        let identity = match answer.id_token() {
            // OpenID Connect Core section 12.2: there need not be one, and it need not have the nonce.
            None => None,
            Some(token) => {
                let any = |_: Option<&Nonce>| Ok(());
                Some(self.identity(&self.verify(&metadata, token, any, now).await?)?)
            }
        };
        if identity.as_ref().is_some_and(|identity| identity.subject != subject) {
            return Err(
                self.error(Step::Recheck, UpstreamProblem::Refused { code: "another_subject".into() })
            );
        }
        Ok(Rechecked { identity, refresh_token: self::refresh_token(&answer).map(SecretString::from) })
    }

    fn identity(&self, claims: &Claims) -> Result<Identity, UpstreamError> {
        self.check_party(claims)?;
        claims::identity(&self.config, claims).map_err(|problem| self.error(Step::IdToken, problem))
    }

    /// What the callback's `error` parameter means, once its `iss` is checked like that of a success.
    pub async fn callback_error(&self, iss_param: Option<&str>, error: &str) -> UpstreamError {
        let checked = match self.discovery.metadata().await {
            Ok(metadata) => self.check_iss(&metadata, iss_param),
            Err(unavailable) => Err(unavailable),
        };
        checked.err().unwrap_or_else(|| UpstreamError::of_code(self.id(), Step::Callback, error))
    }

    fn check_iss(&self, metadata: &Metadata, iss_param: Option<&str>) -> Result<(), UpstreamError> {
        let advertised = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        let matches = iss_param.map_or(!advertised, |iss| iss == self.config.issuer);
        if matches { Ok(()) } else { Err(self.error(Step::Callback, UpstreamProblem::MixUp)) }
    }

    async fn verify<N: NonceVerifier + Clone>(
        &self,
        metadata: &Arc<Metadata>,
        token: &UpstreamIdToken,
        nonce: N,
        now: SystemTime,
    ) -> Result<Claims, UpstreamError> {
        let error = match token.claims(&self.verifier(metadata, now), nonce.clone()) {
            Ok(claims) => return Ok(claims.clone()),
            Err(error) => error,
        };
        // The provider may have rotated its keys since they were fetched: look once.
        if is_key_unknown(&error)
            && let Some(newer) = self.discovery.newer_than(metadata).await?
        {
            let verified = token.claims(&self.verifier(&newer, now), nonce).cloned();
            return verified.map_err(|error| UpstreamError::of_claims(self.id(), error));
        }
        Err(UpstreamError::of_claims(self.id(), error))
    }

    fn verifier(&self, metadata: &Metadata, now: SystemTime) -> CoreIdTokenVerifier<'static> {
        let client_id = ClientId::new(self.config.client_id.clone());
        CoreIdTokenVerifier::new_public_client(client_id, metadata.issuer().clone(), metadata.jwks().clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now.into())
            .set_issue_time_verifier_fn(move |issued| {
                let future = SystemTime::from(issued) > now + LEEWAY;
                if future { Err("issued in the future".to_owned()) } else { Ok(()) }
            })
            // Other audiences are judged with azp, in check_party.
            .set_other_audience_verifier_fn(|_| true)
    }

    /// OpenID Connect Core 3.1.3.7, 3 to 5: a token for several audiences must have been issued to us.
    fn check_party(&self, claims: &Claims) -> Result<(), UpstreamError> {
        let party = claims.authorized_party().map(|party| party.as_str());
        let ours = match party {
            Some(party) => party == self.config.client_id,
            None => claims.audiences().len() == 1,
        };
        if ours { Ok(()) } else { Err(self.error(Step::IdToken, UpstreamProblem::Audience)) }
    }

    fn client(&self, metadata: &Metadata) -> UpstreamClient {
        let secret = self.config.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client_id = ClientId::new(self.config.client_id.clone());
        let client = UpstreamClient::from_provider_metadata(metadata.clone(), client_id, secret);
        // Basic is the default where the metadata is silent (OpenID Connect Discovery section 3).
        let methods = metadata.token_endpoint_auth_methods_supported();
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        client.set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody })
    }

    fn redirect(&self, redirect_uri: &str) -> Result<RedirectUrl, UpstreamError> {
        RedirectUrl::new(redirect_uri.to_owned())
            .map_err(|_| self.error(Step::Authorize, UpstreamProblem::Callback))
    }

    fn error(&self, step: Step, problem: UpstreamProblem) -> UpstreamError {
        UpstreamError::new(&self.config.id, step, problem)
    }
}

fn refresh_token(answer: &TokenAnswer) -> Option<String> {
    answer.refresh_token().map(|token| token.secret().clone())
}

/// RFC 6901: empty would be the whole token, so at least one reference.
fn is_pointer(pointer: &str) -> bool {
    pointer.len() > 1 && pointer.starts_with('/')
}

fn issuer_url(issuer: &str) -> Result<IssuerUrl, IdentityConfigError> {
    let refused = || IdentityConfigError::Issuer { issuer: issuer.to_owned() };
    let url = Url::parse(issuer).map_err(|_| refused())?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !plain || !(url.scheme() == "https" || is_loopback_http(&url)) {
        return Err(refused());
    }
    IssuerUrl::new(issuer.to_owned()).map_err(|_| refused())
}
