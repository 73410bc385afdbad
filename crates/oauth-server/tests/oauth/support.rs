//! A server on a router, a client and a browser.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use audit::{AuditLog, MemorySink, Sink};
use axum::{Router, body::Body};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use connect_hosts::{AllowedHosts, RedirectPolicy};
use http::{HeaderMap, Method, Request, StatusCode, header};
use oauth_server::{
    AccountFacts, Facts, OAuthConfig, OAuthServer, Parts, Resource, ScopeText, SystemRandomness,
    identity::{Identity, IdentitySource, StaticUser, StaticUsers, hash_password},
    seal::Sealing,
    store::{MemoryStore, SeaOrmStore, Store, connect_options, migrations},
};
use sea_orm::{Database, DatabaseConnection};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::published::Published;

pub(crate) const ORIGIN: &str = "http://localhost:8080";
pub(crate) const RESOURCE: &str = "http://localhost:8080/mcp/platform";
pub(crate) const REDIRECT: &str = "https://claude.ai/api/mcp/auth_callback";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636 appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const START: u64 = 1_800_000_000;

/// A sink that can be broken.
#[derive(Clone, Default)]
pub(crate) struct BreakableSink {
    pub(crate) lines: MemorySink,
    pub(crate) broken: Arc<AtomicBool>,
}

impl Sink for BreakableSink {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("disk full"));
        }
        self.lines.write(lines)
    }
}

/// Everybody has the same role.
struct Analysts;

impl AccountFacts for Analysts {
    fn facts(&self, _identity: &Identity, _resource: &str) -> Facts {
        Facts::Served { role: "analyst".into(), requests_per_minute: Some(60), burst: Some(10) }
    }
}

/// A server with a clock that stands still until it is moved.
pub(crate) struct Harness {
    pub(crate) server: OAuthServer,
    pub(crate) router: Router,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) audit: AuditLog,
    pub(crate) sink: BreakableSink,
    /// How many lines the start itself wrote.
    begun: usize,
    /// What clients publish about themselves.
    pub(crate) published: Published,
    seconds: Arc<AtomicU64>,
}

pub(crate) fn resource(path: &str) -> Resource {
    let scopes = ["platform", "platform:read"]
        .map(|name| ScopeText { name: name.into(), description: Some("Work with your data".into()) });
    Resource { uri: format!("{ORIGIN}{path}"), name: "Platform".into(), scopes: scopes.into() }
}

pub(crate) fn config() -> OAuthConfig {
    OAuthConfig::new(ORIGIN, vec![resource("/mcp/platform")])
}

pub(crate) const HOSTS: &str = "claude.ai,localhost,cursor://,quilt://";

pub(crate) fn redirects(hosts: &str) -> RedirectPolicy {
    let (hosts, ignored) = AllowedHosts::parse(hosts);
    assert!(ignored.is_empty());
    RedirectPolicy::new(hosts)
}

pub(crate) fn static_users() -> IdentitySource {
    let user = StaticUser {
        username: "ada".into(),
        password_hash: hash_password(&SecretString::from(PASSWORD)).unwrap(),
        tenant: Some("acme".into()),
        subject: "auth0|ada/é".into(),
        display_name: Some("Ada".into()),
        hints: json!({ "groups": ["analysts"] }).as_object().unwrap().clone(),
    };
    IdentitySource::Static(StaticUsers::new("local", "http://localhost:8080/local", vec![user]).unwrap())
}

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations()
    }
}

pub(crate) async fn connect(url: &str) -> DatabaseConnection {
    Database::connect(connect_options(url)).await.unwrap()
}

pub(crate) async fn database(url: &str) -> SeaOrmStore {
    let db = connect(url).await;
    Migrator::up(&db, None).await.unwrap();
    SeaOrmStore::new(db)
}

/// A SQLite file and its URL.
pub(crate) fn sqlite() -> (tempfile::TempDir, String) {
    let directory = tempfile::TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("oauth.db").display());
    (directory, url)
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::with(config(), Arc::new(MemoryStore::default()), vec![static_users()]).await
    }

    pub(crate) async fn on(store: Arc<dyn Store>) -> Self {
        Self::with(config(), store, vec![static_users()]).await
    }

    pub(crate) async fn with(
        config: OAuthConfig,
        store: Arc<dyn Store>,
        identity_sources: Vec<IdentitySource>,
    ) -> Self {
        Self::listing(HOSTS, config, store, identity_sources).await
    }

    /// With another list of allowed hosts.
    pub(crate) async fn listing(
        hosts: &str,
        config: OAuthConfig,
        store: Arc<dyn Store>,
        identity_sources: Vec<IdentitySource>,
    ) -> Self {
        let seconds = Arc::new(AtomicU64::new(START));
        let sink = BreakableSink::default();
        let published = Published::default();
        let audit = AuditLog::start(sink.clone(), || UNIX_EPOCH).unwrap();
        let parts = Parts {
            store: Arc::clone(&store),
            identity_sources,
            redirects: redirects(hosts),
            audit: audit.clone(),
            clock: clock(&seconds),
            randomness: Arc::new(SystemRandomness),
            sealing: Sealing::unsealed(),
            fetch: Arc::new(published.clone()),
            account_facts: Some(Arc::new(Analysts)),
        };
        let server = OAuthServer::new(config, parts).await.unwrap();
        audit.flush();
        let begun = sink.lines.lines().len();
        Self { router: server.router(), server, store, audit, sink, begun, published, seconds }
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.seconds.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.seconds.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    /// Sets the clock back.
    pub(crate) fn step_back(&self, by: Duration) {
        self.seconds.fetch_sub(by.as_secs(), Ordering::SeqCst);
    }

    /// Breaks the audit log, or mends it.
    pub(crate) fn break_audit(&self, broken: bool) {
        self.sink.broken.store(broken, Ordering::SeqCst);
        // The log learns of it from the next event, as a write fails or works again.
        let event = audit::Event::new(audit::Action::AdminChange, audit::Outcome::Success, Arc::default());
        let _ = self.audit.record(event);
        self.audit.flush();
    }

    /// What the audit log says since the start, as `action outcome reason`.
    pub(crate) fn events(&self) -> Vec<String> {
        self.audit.flush();
        let lines = self.sink.lines.lines();
        let events = lines.iter().skip(self.begun).map(|line| serde_json::from_str::<Value>(line).unwrap());
        events
            .map(|event| {
                let part = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
                format!("{} {} {}", part("action"), part("outcome"), part("reason"))
            })
            .collect()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(form_request(path, form)).await
    }

    /// Registers a public client and gives its identifier.
    pub(crate) async fn client(&self) -> String {
        let body =
            json!({ "client_name": "Claude", "redirect_uris": [REDIRECT, "http://localhost/callback"] });
        let answer = self.post_json("/register", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.json()["client_id"].as_str().unwrap().to_owned()
    }

    /// Walks through consent and sign-in and gives the code.
    pub(crate) async fn code(&self, client_id: &str) -> String {
        let mut browser = Browser::default();
        let answer = browser.sign_in(self, &authorize_url(&authorize_params(client_id))).await;
        answer.location_param("code").unwrap()
    }

    /// The tokens of a fresh sign-in.
    pub(crate) async fn tokens(&self, client_id: &str) -> Value {
        let code = self.code(client_id).await;
        let answer = self.post_form("/token", &redeem_params(client_id, &code)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.json()
    }

    pub(crate) async fn refresh(&self, client_id: &str, refresh_token: &str) -> Answer {
        let form =
            [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", refresh_token)];
        self.post_form("/token", &form).await
    }
}

fn clock(seconds: &Arc<AtomicU64>) -> oauth_server::Clock {
    let seconds = Arc::clone(seconds);
    Arc::new(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
}

pub(crate) fn query(params: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

pub(crate) fn form_request(path: &str, form: &[(&str, &str)]) -> Request<Body> {
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(query(form)))
        .unwrap()
}

pub(crate) fn authorize_params(client_id: &str) -> Vec<(&str, &str)> {
    vec![
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "s t&ate"),
        ("resource", RESOURCE),
        ("scope", "platform"),
    ]
}

pub(crate) fn authorize_url(params: &[(&str, &str)]) -> String {
    format!("/authorize?{}", query(params))
}

pub(crate) fn redeem_params<'a>(client_id: &'a str, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
    ]
}

/// The credentials of a client in the `Authorization` header.
pub(crate) fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{client_id}:{secret}")))
}

/// Replaces a parameter, adds it, or with `None` removes it.
pub(crate) fn with<'a>(
    mut params: Vec<(&'a str, &'a str)>,
    name: &'a str,
    value: Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    params.retain(|(found, _)| *found != name);
    params.extend(value.map(|value| (name, value)));
    params
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Map<String, Value> {
    part(token, 1)
}

pub(crate) fn part(token: &str, index: usize) -> Map<String, Value> {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8(bytes.into()).unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        self.header(header::LOCATION).unwrap_or_else(|| panic!("no location: {self:?}"))
    }

    pub(crate) fn location_param(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(self.location()).unwrap();
        let mut values = url.query_pairs().filter(|(found, _)| found == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        assert!(values.next().is_none(), "{name} occurs twice in {url}");
        value
    }

    /// The hidden fields of the page's forms, each once.
    pub(crate) fn hidden(&self) -> Vec<(String, String)> {
        let inputs = self.body.split("<input type=\"hidden\" ").skip(1);
        let attribute = |input: &str, name: &str| {
            let start = format!("{name}=\"");
            input.split_once(&start).unwrap().1.split_once('"').unwrap().0.to_owned()
        };
        let mut fields: Vec<(String, String)> = Vec::new();
        for field in inputs.map(|input| (attribute(input, "name"), attribute(input, "value"))) {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        fields
    }
}

/// What a browser does: it keeps cookies and sends them back.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) async fn send(&mut self, harness: &Harness, mut request: Request<Body>) -> Answer {
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.headers_mut().insert(header::COOKIE, pairs.join("; ").parse().unwrap());
        }
        let answer = harness.send(request).await;
        for value in answer.headers.get_all(header::SET_COOKIE) {
            let (name, rest) = value.to_str().unwrap().split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            if attributes.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn get(&mut self, harness: &Harness, path: &str) -> Answer {
        self.send(harness, Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Posts a page's form with its hidden fields and these.
    pub(crate) async fn submit(
        &mut self,
        harness: &Harness,
        page: &Answer,
        fields: &[(&str, &str)],
    ) -> Answer {
        let hidden = page.hidden();
        let mut form: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        form.extend(fields);
        let action = page.body.split_once("action=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
        self.send(harness, form_request(&action, &form)).await
    }

    /// The consent page of an authorization request.
    pub(crate) async fn consent_page(&mut self, harness: &Harness, url: &str) -> Answer {
        let answer = self.get(harness, url).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let page = self.get(harness, answer.location()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        page
    }

    /// What follows after the person allows the client.
    pub(crate) async fn allow(&mut self, harness: &Harness, url: &str) -> Answer {
        let page = self.consent_page(harness, url).await;
        let answer = self.submit(harness, &page, &[("decision", "allow")]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        self.get(harness, answer.location()).await
    }

    /// Allows the client, signs in as ada, and gives the redirect to the client.
    pub(crate) async fn sign_in(&mut self, harness: &Harness, url: &str) -> Answer {
        let page = self.allow(harness, url).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let fields = [("username", "ada"), ("password", PASSWORD), ("decision", "sign-in")];
        let answer = self.submit(harness, &page, &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer
    }
}

pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}
