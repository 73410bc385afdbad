//! A client and the person before it, step by step.

use quickstart::{Browser, Page};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use url::Url;

pub(crate) const REDIRECT: &str = "http://localhost/callback";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An answer, or none when the server died meanwhile.
pub(crate) type Answer = Option<(StatusCode, Value)>;

/// Where things are asked.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) origin: String,
}

impl Party {
    /// Nothing is kept open: the server dies often.
    fn http() -> Client {
        Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
    }

    pub(crate) async fn register(&self) -> Answer {
        let body = json!({ "client_name": "Claude", "redirect_uris": [REDIRECT] });
        let sent = Self::http().post(format!("{}/register", self.origin)).json(&body).send().await;
        read(sent).await
    }

    pub(crate) async fn client(&self) -> String {
        let (status, body) = self.register().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body["client_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn authorize(&self, client: &str) -> Url {
        let parameters = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", &format!("{}/mcp/platform", self.origin)),
        ];
        Url::parse_with_params(&format!("{}/authorize", self.origin), parameters).unwrap()
    }

    pub(crate) async fn consent_page(&self, browser: &mut Browser, client: &str) -> Page {
        let page = browser.open(&self.authorize(client)).await.unwrap();
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        page
    }

    /// Presses *Allow*; gives where to sign in.
    pub(crate) async fn allow(&self, browser: &mut Browser, page: &Page) -> Option<Url> {
        browser.press(page, ("decision", "allow"), &format!("{}/sign-in", self.origin)).await.ok()
    }

    /// Types the password; gives the code.
    pub(crate) async fn sign_in(&self, browser: &mut Browser, page: &Url) -> Option<String> {
        let back = browser.sign_in(page, REDIRECT, "ada", "ada-counts-engines").await.ok()?;
        back.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
    }

    pub(crate) async fn code(&self, client: &str) -> String {
        let mut browser = Browser::new().unwrap();
        let page = self.consent_page(&mut browser, client).await;
        let page = self.allow(&mut browser, &page).await.unwrap();
        self.sign_in(&mut browser, &page).await.unwrap()
    }

    pub(crate) async fn redeem(&self, client: &str, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", REDIRECT),
        ];
        self.post("token", &form).await
    }

    /// The refresh token of a new sign-in.
    pub(crate) async fn family(&self, client: &str) -> String {
        let code = self.code(client).await;
        succeeded(self.redeem(client, &code).await)
    }

    pub(crate) async fn refresh(&self, client: &str, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.post("token", &form).await
    }

    pub(crate) async fn revoke(&self, client: &str, token: &str) -> Answer {
        self.post("revoke", &[("client_id", client), ("token", token)]).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        read(Self::http().post(format!("{}/{path}", self.origin)).form(form).send().await).await
    }
}

async fn read(sent: reqwest::Result<reqwest::Response>) -> Answer {
    let answer = sent.ok()?;
    let (status, body) = (answer.status(), answer.text().await.ok()?);
    Some((status, serde_json::from_str(&body).unwrap_or(Value::String(body))))
}

/// The refresh token of an answer that must be there and good.
pub(crate) fn succeeded(answer: Answer) -> String {
    let (status, body) = answer.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    body["refresh_token"].as_str().unwrap().to_owned()
}

/// Whether an answer that must be there is a refusal of the code or token.
pub(crate) fn refused(answer: Answer) -> bool {
    let (status, body) = answer.unwrap();
    assert!(status == StatusCode::OK || body["error"] == "invalid_grant", "{status} {body}");
    status == StatusCode::BAD_REQUEST
}
