//! One authorization, step by step.

use e2e::{IdentityProvider, System};
use quickstart::{Browser, BrowserError};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::setting::{PASSWORD, Setting};

/// Where the client would listen.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:33418/callback";

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An authorization request of a client, and the browser that it was opened in.
pub(crate) struct Attempt {
    pub(crate) browser: Browser,
    /// What the client opens.
    pub(crate) start: Url,
    state: &'static str,
    client_id: String,
}

impl Attempt {
    /// Registers a client, which makes a request with this `state`.
    pub(crate) async fn new(system: &System, state: &'static str) -> Self {
        let body = json!({ "client_name": "Test client", "redirect_uris": [REDIRECT] });
        let register = format!("{}/register", system.public_url);
        let answer = reqwest::Client::new().post(register).json(&body).send().await.unwrap();
        let client: Value = answer.json().await.unwrap();
        let client_id = client["client_id"].as_str().unwrap().to_owned();
        let mut start: Url = format!("{}/authorize", system.public_url).parse().unwrap();
        start
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &client_id)
            .append_pair("redirect_uri", REDIRECT)
            .append_pair("code_challenge", CHALLENGE)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &system.mcp_url())
            .append_pair("state", state);
        Self { browser: Browser::new().unwrap(), start, state, client_id }
    }

    /// Consents and signs in at the provider. Gives the callback that the provider sends the browser to, not opened yet.
    pub(crate) async fn up_to_callback<P>(&mut self, setting: &Setting<P>, subject: &str) -> Url {
        let callback = format!("{}/callback/idp", setting.system.public_url);
        let start = self.start.clone();
        self.browser.sign_in(&start, &callback, subject, PASSWORD).await.unwrap()
    }

    /// Opens a URL and goes on to the client's redirect.
    pub(crate) async fn follow(&mut self, url: &Url, subject: &str) -> Result<Url, BrowserError> {
        self.browser.sign_in(url, REDIRECT, subject, PASSWORD).await
    }

    /// Signs out at the provider.
    pub(crate) async fn sign_out(&mut self, provider: &IdentityProvider) {
        let end: Url = format!("{}/session/end", provider.issuer).parse().unwrap();
        let page = self.browser.open(&end).await.unwrap();
        let ended = format!("{end}/success");
        self.browser.press(&page, ("logout", "yes"), &ended).await.unwrap();
    }

    /// Checks that the client was given an error with its `state` and our `iss` (RFC 9207).
    pub(crate) fn assert_error<P>(&self, setting: &Setting<P>, arrived: &Url, code: &str) {
        let shown: Vec<_> = arrived.query_pairs().filter(|(name, _)| name != "error_description").collect();
        let expected = [("error", code), ("state", self.state), ("iss", setting.system.public_url.as_str())];
        assert_eq!(shown, expected.map(|(name, value)| (name.into(), value.into())), "{arrived}");
    }

    /// Checks that the client was given a code, and that it is worth tokens.
    pub(crate) async fn assert_code<P>(&self, setting: &Setting<P>, arrived: &Url) {
        self.redeem(&setting.system, arrived).await;
    }

    /// The tokens that the client was given a code for, with its `state` and our `iss`.
    pub(crate) async fn redeem(&self, system: &System, arrived: &Url) -> Value {
        let parameters: Vec<_> = arrived.query_pairs().collect();
        let [(code_name, code), (state_name, state), (iss_name, iss)] = parameters.as_slice() else {
            panic!("{arrived}");
        };
        assert_eq!((code_name.as_ref(), state_name.as_ref(), iss_name.as_ref()), ("code", "state", "iss"));
        assert_eq!((state.as_ref(), iss.as_ref()), (self.state, system.public_url.as_str()));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("client_id", &self.client_id),
            ("code_verifier", VERIFIER),
        ];
        let (status, answer) = token(system, &form).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Consents, signs in, and gives the tokens.
    pub(crate) async fn tokens<P>(&mut self, setting: &Setting<P>, subject: &str) -> Value {
        let start = self.start.clone();
        let arrived = self.follow(&start, subject).await.unwrap();
        self.redeem(&setting.system, &arrived).await
    }

    /// What the token endpoint says to the refresh token of `tokens`.
    pub(crate) async fn refresh(&self, system: &System, tokens: &Value) -> (StatusCode, Value) {
        let presented = tokens["refresh_token"].as_str().unwrap();
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", presented), ("client_id", &self.client_id)];
        token(system, &form).await
    }
}

async fn token(system: &System, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let endpoint = format!("{}/token", system.public_url);
    let answer = reqwest::Client::new().post(endpoint).form(form).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// What the gateway says to the access token of `tokens`.
pub(crate) async fn call(system: &System, tokens: &Value) -> StatusCode {
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "auth_status", "arguments": {} },
    });
    let request = reqwest::Client::new().post(system.mcp_url()).json(&call);
    let request = request.header("accept", "application/json, text/event-stream");
    let answer = request.bearer_auth(tokens["access_token"].as_str().unwrap()).send().await.unwrap();
    answer.status()
}

/// Opens a URL that must show an error page, and gives the URL of the page and its words.
pub(crate) async fn stopped(browser: &mut Browser, url: &Url, expected: StatusCode) -> (Url, String) {
    match browser.sign_in(url, REDIRECT, "nobody", PASSWORD).await {
        Err(BrowserError::Stopped { url, status, text }) => {
            assert_eq!(status, expected, "{text}");
            (url, text)
        }
        other => panic!("{url} led to {other:?}"),
    }
}
