//! An MCP client as generic clients are: it knows one URL and finds everything else.

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Client, Response, StatusCode, header::WWW_AUTHENTICATE};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::{Browser, BrowserError};

/// Where the client listens for the code; nothing does, the browser stops before.
const REDIRECT: &str = "http://127.0.0.1:33418/callback";

/// The protocol revision that the client speaks.
const PROTOCOL: &str = "2025-06-18";

/// A client that is signed in.
#[derive(Debug)]
pub struct McpClient {
    http: Client,
    url: Url,
    tokens: SignedIn,
}

/// What the sign-in gave.
#[derive(Clone, Deserialize)]
pub struct SignedIn {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// The client's identifier.
    #[serde(default)]
    pub client_id: String,
    /// Where tokens are refreshed.
    #[serde(default)]
    pub token_endpoint: String,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// What became of a tool call.
#[derive(Debug)]
pub enum ToolAnswer {
    /// The tool's structured result.
    Done(Value),
    /// The tool ran and was refused, in its words.
    ToolError(String),
    /// The gateway refused, with status and reason.
    Refused(StatusCode, String),
}

/// The client could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A request failed.
    #[error("a request failed")]
    Http(#[from] reqwest::Error),
    /// The pages did not lead to a code.
    #[error("the sign-in did not come to an end")]
    Browser(#[from] BrowserError),
    /// An answer was not what the protocol demands.
    #[error("{what}: {found}")]
    Protocol {
        /// Which step.
        what: &'static str,
        /// What came.
        found: String,
    },
}

impl McpClient {
    /// Discovers, registers, authorizes as a person, and redeems the code.
    ///
    /// # Errors
    /// When any step of it fails.
    pub async fn sign_in(url: &str, username: &str, password: &str) -> Result<Self, ClientError> {
        Self::sign_in_as(None, url, username, password).await
    }

    /// The same without registering, when there is an identifier already.
    ///
    /// # Errors
    /// When any step of it fails.
    pub async fn sign_in_as(
        client_id: Option<&str>,
        url: &str,
        username: &str,
        password: &str,
    ) -> Result<Self, ClientError> {
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let url: Url = url.parse().map_err(|_| protocol("the server's address", url))?;
        let metadata = discover(&http, &url).await?;
        let client_id = match client_id {
            Some(known) => known.to_owned(),
            None => register(&http, &metadata).await?,
        };
        let verifier = random()?;
        let state = random()?;
        let challenge = digest::digest(&digest::SHA256, verifier.as_bytes());
        let mut authorize: Url = metadata.endpoint("authorization_endpoint")?;
        authorize
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &client_id)
            .append_pair("redirect_uri", REDIRECT)
            .append_pair("code_challenge", &BASE64_URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &metadata.resource)
            .append_pair("state", &state);
        let arrived = Browser::new()?.sign_in(&authorize, REDIRECT, username, password).await?;
        let parameter =
            |name: &str| arrived.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        if parameter("state").as_deref() != Some(&state)
            || parameter("iss").as_deref() != Some(&metadata.issuer)
        {
            return Err(protocol(
                "the redirect has another state or issuer",
                arrived.host_str().unwrap_or("?"),
            ));
        }
        let code = parameter("code").ok_or_else(|| {
            protocol("the redirect has no code", parameter("error").as_deref().unwrap_or("no error either"))
        })?;
        let token_endpoint = metadata.endpoint("token_endpoint")?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("client_id", &client_id),
            ("code_verifier", &verifier),
            ("resource", &metadata.resource),
        ];
        let answer = http.post(token_endpoint.clone()).form(&form).send().await?;
        let tokens: SignedIn = parsed("the token endpoint", answer, StatusCode::OK).await?;
        let tokens = SignedIn { client_id, token_endpoint: token_endpoint.into(), ..tokens };
        Ok(Self { http, url, tokens })
    }

    /// The tokens of the sign-in.
    #[must_use]
    pub fn tokens(&self) -> &SignedIn {
        &self.tokens
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// When the answer is none that MCP knows.
    pub async fn call_tool(&self, name: &str, arguments: Value) -> Result<ToolAnswer, ClientError> {
        let request = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name, "arguments": arguments },
        });
        let answer = self
            .http
            .post(self.url.clone())
            .bearer_auth(&self.tokens.access_token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", PROTOCOL)
            .json(&request)
            .send()
            .await?;
        let status = answer.status();
        let body = answer.text().await?;
        let value: Value = serde_json::from_str(&body).unwrap_or_default();
        if status != StatusCode::OK {
            let reason = [value.pointer("/error/message"), value.get("error_description")]
                .into_iter()
                .flatten()
                .find_map(Value::as_str)
                .unwrap_or("no reason given");
            return Ok(ToolAnswer::Refused(status, reason.to_owned()));
        }
        let result = value.get("result").ok_or_else(|| protocol("a tool call has no result", &body))?;
        if result.get("isError") == Some(&Value::Bool(true)) {
            let text = result.pointer("/content/0/text").and_then(Value::as_str).unwrap_or("no words");
            return Ok(ToolAnswer::ToolError(text.to_owned()));
        }
        let structured = result.get("structuredContent");
        structured
            .cloned()
            .map(ToolAnswer::Done)
            .ok_or_else(|| protocol("a tool gave nothing structured", &body))
    }
}

/// What discovery found.
struct Metadata {
    issuer: String,
    resource: String,
    server: Value,
}

impl Metadata {
    fn endpoint(&self, name: &'static str) -> Result<Url, ClientError> {
        let url = self.server.get(name).and_then(Value::as_str).and_then(|url| url.parse().ok());
        url.ok_or_else(|| protocol("the metadata lacks an endpoint", name))
    }
}

/// RFC 9728 §5: the challenge names the resource's document, which names the authorization server (RFC 8414).
async fn discover(http: &Client, url: &Url) -> Result<Metadata, ClientError> {
    let answer = http.post(url.clone()).json(&json!({})).send().await?;
    let challenge =
        answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let document = challenge.split("resource_metadata=\"").nth(1).and_then(|rest| rest.split('"').next());
    let document = document.ok_or_else(|| protocol("the challenge names no document", challenge))?;
    let resource: Value =
        parsed("the resource's document", http.get(document).send().await?, StatusCode::OK).await?;
    let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let missing = || protocol("the resource's document is incomplete", document);
    let issuer = text("/authorization_servers/0").ok_or_else(missing)?;
    let identifier = text("/resource").ok_or_else(missing)?;
    let location = format!("{issuer}/.well-known/oauth-authorization-server");
    let server: Value =
        parsed("the server's metadata", http.get(location).send().await?, StatusCode::OK).await?;
    if server.get("issuer").and_then(Value::as_str) != Some(&issuer) {
        return Err(protocol("the metadata has another issuer", &issuer));
    }
    Ok(Metadata { issuer, resource: identifier, server })
}

async fn register(http: &Client, metadata: &Metadata) -> Result<String, ClientError> {
    let body = json!({ "client_name": "Quickstart", "redirect_uris": [REDIRECT] });
    let answer = http.post(metadata.endpoint("registration_endpoint")?).json(&body).send().await?;
    let client: Value = parsed("the registration", answer, StatusCode::CREATED).await?;
    let id = client.get("client_id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| protocol("the registration gave no client_id", "nothing"))
}

async fn parsed<T: for<'de> Deserialize<'de>>(
    what: &'static str,
    answer: Response,
    expected: StatusCode,
) -> Result<T, ClientError> {
    let status = answer.status();
    let body = answer.text().await?;
    if status != expected {
        return Err(protocol(what, &format!("status {status}: {body}")));
    }
    serde_json::from_str(&body).map_err(|error| protocol(what, &error.to_string()))
}

fn protocol(what: &'static str, found: &str) -> ClientError {
    ClientError::Protocol { what, found: found.chars().take(500).collect() }
}

/// 256 bits that nobody can guess, in characters that PKCE and URLs allow.
fn random() -> Result<String, ClientError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| protocol("the source of random bytes failed", "nothing"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
