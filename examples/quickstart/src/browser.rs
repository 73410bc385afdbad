//! As much of a browser as a sign-in needs: cookies, redirects one at a time, and forms.

use std::collections::BTreeMap;

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{COOKIE, LOCATION, SET_COOKIE},
};
use url::Url;

use crate::forms::{Form, forms};

/// Hops and pages that a sign-in may take.
const LONGEST_WALK: usize = 20;

/// The buttons that agree: ours, and that of django-oauth-toolkit.
const AGREE: [(&str, &str); 2] = [("decision", "allow"), ("allow", "Authorize")];

/// A browser with its cookies.
#[derive(Debug)]
pub struct Browser {
    http: Client,
    cookies: BTreeMap<(String, String), String>,
}

/// What the browser shows.
#[derive(Debug)]
pub struct Page {
    /// Where it is.
    pub url: Url,
    /// Status of the answer.
    pub status: StatusCode,
    /// The page's source.
    pub html: String,
}

/// The walk through the pages did not end as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// A request failed.
    #[error("a page could not be loaded")]
    Http(#[from] reqwest::Error),
    /// A redirect leads nowhere.
    #[error("{url} redirects without a usable Location")]
    Location {
        /// The page.
        url: Url,
    },
    /// A page without a form that could be filled in.
    #[error("stopped at {url} with status {status}: {text}")]
    Stopped {
        /// The page.
        url: Url,
        /// Its status.
        status: StatusCode,
        /// What it says.
        text: String,
    },
    /// Round in circles.
    #[error("the pages do not come to an end")]
    Endless,
}

impl BrowserError {
    fn stopped(page: &Page) -> Self {
        Self::Stopped { url: page.url.clone(), status: page.status, text: visible_text(&page.html) }
    }
}

impl Browser {
    /// A new browser, without cookies.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new() -> Result<Self, BrowserError> {
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { http, cookies: BTreeMap::new() })
    }

    /// Opens `start`, presses *Allow*, signs in, and stops at the redirect to `target`, whose URL it gives.
    ///
    /// # Errors
    /// When a page cannot be loaded or is none that this knows to answer.
    pub async fn sign_in(
        &mut self,
        start: &Url,
        target: &str,
        username: &str,
        password: &str,
    ) -> Result<Url, BrowserError> {
        let mut answer = self.get(start).await?;
        for _ in 0..LONGEST_WALK {
            match self.follow(answer, target).await? {
                Followed::Arrived(url) => return Ok(url),
                Followed::Page(page) => answer = self.answer_page(&page, username, password).await?,
            }
        }
        Err(BrowserError::Endless)
    }

    /// Opens a page, following redirects.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn open(&mut self, url: &Url) -> Result<Page, BrowserError> {
        let answer = self.get(url).await?;
        match self.follow(answer, "\0").await? {
            Followed::Page(page) => Ok(page),
            Followed::Arrived(url) => Err(BrowserError::Location { url }),
        }
    }

    /// Presses a button of a page, and stops at the redirect to `target`, whose URL it gives.
    ///
    /// # Errors
    /// When the page has no such button, or pressing it leads elsewhere.
    pub async fn press(
        &mut self,
        page: &Page,
        button: (&str, &str),
        target: &str,
    ) -> Result<Url, BrowserError> {
        let forms = forms(&page.html);
        let form = forms.iter().find(|form| form.has_button(button.0, button.1));
        let form = form.ok_or_else(|| BrowserError::stopped(page))?;
        let answer = self.submit(page, form, &[], Some(button)).await?;
        self.arrive(answer, target).await
    }

    /// Fills in the first form of a page, sends it by none of its named buttons, and stops at the redirect to `target`,
    /// whose URL it gives.
    ///
    /// # Errors
    /// When the page has no form, or sending it leads elsewhere.
    pub async fn fill(
        &mut self,
        page: &Page,
        fields: &[(&str, &str)],
        target: &str,
    ) -> Result<Url, BrowserError> {
        let forms = forms(&page.html);
        let form = forms.first().ok_or_else(|| BrowserError::stopped(page))?;
        let answer = self.submit(page, form, fields, None).await?;
        self.arrive(answer, target).await
    }

    async fn arrive(&mut self, answer: Response, target: &str) -> Result<Url, BrowserError> {
        match self.follow(answer, target).await? {
            Followed::Arrived(url) => Ok(url),
            Followed::Page(page) => Err(BrowserError::stopped(&page)),
        }
    }

    async fn answer_page(
        &mut self,
        page: &Page,
        username: &str,
        password: &str,
    ) -> Result<Response, BrowserError> {
        let forms = forms(&page.html);
        let fits = |form: &&Form| form.has_field("password") || form.has_button("decision", "allow");
        // Another provider's page of consent has one form, and nothing to fill in.
        let Some(form) =
            forms.iter().find(fits).or_else(|| forms.first().filter(|_| page.status.is_success()))
        else {
            return Err(BrowserError::stopped(page));
        };
        let button = AGREE.into_iter().find(|(name, value)| form.has_button(name, value));
        let credentials = [("username", username), ("login", username), ("password", password)];
        self.submit(page, form, &credentials, button).await
    }

    async fn submit(
        &mut self,
        page: &Page,
        form: &Form,
        filled: &[(&str, &str)],
        button: Option<(&str, &str)>,
    ) -> Result<Response, BrowserError> {
        let action =
            page.url.join(&form.action).map_err(|_| BrowserError::Location { url: page.url.clone() })?;
        let request = self.http.post(action.clone()).form(&form.filled(filled, button));
        self.send(request, &action).await
    }

    async fn get(&mut self, url: &Url) -> Result<Response, BrowserError> {
        let request = self.http.get(url.clone());
        self.send(request, url).await
    }

    async fn send(&mut self, request: RequestBuilder, url: &Url) -> Result<Response, BrowserError> {
        let host = url.authority().to_owned();
        let sent: Vec<String> = self
            .cookies
            .iter()
            .filter(|((owner, _), _)| *owner == host)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let answer = request.header(COOKIE, sent.join("; ")).send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let pair = cookie.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            let key = (host.clone(), name.trim().to_owned());
            if value.is_empty() || cookie.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        Ok(answer)
    }

    async fn follow(&mut self, mut answer: Response, target: &str) -> Result<Followed, BrowserError> {
        for _ in 0..LONGEST_WALK {
            let url = answer.url().clone();
            if !answer.status().is_redirection() {
                let status = answer.status();
                return Ok(Followed::Page(Page { url, status, html: answer.text().await? }));
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let next = next.ok_or(BrowserError::Location { url })?;
            if next.as_str().starts_with(target) {
                return Ok(Followed::Arrived(next));
            }
            answer = self.get(&next).await?;
        }
        Err(BrowserError::Endless)
    }
}

enum Followed {
    Arrived(Url),
    Page(Page),
}

/// The words of a page, for an error.
fn visible_text(html: &str) -> String {
    let mut text = String::new();
    let mut hidden = false;
    for Ok(token) in html5gum::Tokenizer::new(html) {
        match token {
            html5gum::Token::StartTag(tag) => {
                hidden = matches!(tag.name.as_slice(), b"style" | b"title" | b"head");
            }
            html5gum::Token::EndTag(_) => hidden = false,
            html5gum::Token::String(part) if !hidden => {
                text.push_str(String::from_utf8_lossy(&part).trim());
                text.push(' ');
            }
            _ => {}
        }
    }
    text.split_whitespace().take(60).collect::<Vec<_>>().join(" ")
}
