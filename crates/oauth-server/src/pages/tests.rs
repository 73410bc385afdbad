//! The pages as a browser gets them.

mod contrast;
mod samples;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::to_bytes;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};

use super::{response::Forms, *};
use samples::{FORM, HOSTILE, Sample};

async fn read(response: Response) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// SEC-11: a page is framed, cached, sniffed or made to run a script -> its headers forbid each
#[tokio::test]
async fn every_page_carries_its_security_headers() {
    for Sample { name, status, response, forms } in samples::all() {
        let (answered, headers, body) = read(response).await;
        assert_eq!(answered, status, "{name}");
        for (header, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "unsafe-none"),
        ] {
            let values: Vec<_> = headers.get_all(header).iter().collect();
            assert_eq!(values, [value], "{name}: {header}");
        }
        let style = body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        let form_action = match forms {
            Forms::Redirecting => "",
            Forms::Own => "; form-action 'self'",
            Forms::None => "; form-action 'none'",
        };
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'{form_action}"
        );
        assert_eq!(headers["content-security-policy"], policy, "{name}");
        assert_eq!(body.contains("<form"), forms != Forms::None, "{name}");
    }
}

/// SEC-11: a page with a script, a handler or a foreign part -> there is none
#[tokio::test]
async fn every_page_works_without_script_and_for_a_screen_reader() {
    for Sample { name, response, .. } in samples::all() {
        let (_, _, body) = read(response).await;
        let lower = body.to_ascii_lowercase();
        for forbidden in
            ["<script", "javascript:", " on", "style=\"", "<img", "<iframe", "<link", "http-equiv"]
        {
            // " on" stands for event handlers: it must not open an attribute.
            let found = if forbidden == " on" { has_handler(&lower) } else { lower.contains(forbidden) };
            assert!(!found, "{name}: {forbidden}");
        }
        assert!(body.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
        assert!(body.contains("name=\"viewport\" content=\"width=device-width, initial-scale=1\""), "{name}");
        for once in ["<main", "<header>", "<footer>", "<h1", "<title>"] {
            assert_eq!(body.matches(once).count(), 1, "{name}: {once}");
        }
        for input in tags(&body, "<input").filter(|tag| !tag.contains("type=\"hidden\"")) {
            let id = attribute(input, "id").unwrap();
            assert!(body.contains(&format!("<label for=\"{id}\">")), "{name}: {input}");
            // What is chosen is not filled in: HTML has no `autocomplete` there.
            let typed = attribute(input, "type") != Some("radio");
            assert_eq!(attribute(input, "autocomplete").is_some(), typed, "{name}: {input}");
        }
        for reference in ["aria-labelledby", "aria-describedby"] {
            let start = format!("{reference}=\"");
            let values = body.split(&start).skip(1);
            for id in values.flat_map(|rest| rest.split('"').next().unwrap().split(' ')) {
                assert_eq!(body.matches(&format!("id=\"{id}\"")).count(), 1, "{name}: {reference} {id}");
            }
        }
        for button in tags(&body, "<button") {
            assert!(button.contains("type=\"submit\"") && button.contains("name=\""), "{name}: {button}");
        }
    }
}

#[tokio::test]
async fn forms_post_their_fields() {
    for Sample { name, response, forms, .. } in samples::all() {
        let (_, _, body) = read(response).await;
        if forms == Forms::Redirecting {
            assert!(body.contains(&format!("<form method=\"post\" action=\"{}\">", FORM.action)), "{name}");
            for (field, value) in FORM.hidden {
                let expected = format!("<input type=\"hidden\" name=\"{field}\" value=\"{value}\">");
                let forms = body.matches("<form ").count();
                assert_eq!(body.matches(&expected).count(), forms, "{name}: {field}");
            }
            let cancellable = !name.starts_with("device-code");
            assert_eq!(body.contains("name=\"decision\" value=\"cancel\""), cancellable, "{name}");
        }
    }
    let consent = body_of(samples::consent(|_| {})).await;
    assert!(consent.contains("name=\"decision\" value=\"allow\">Allow</button>"));
    let chooser = body_of(samples::chooser()).await;
    assert!(chooser.contains("name=\"idp\" value=\"staff\""));
    assert!(chooser.contains("name=\"idp\" value=\"partners\""));
}

/// SEC-12: a client name of markup, direction marks, control characters or 5,000 letters -> bounded text that hides nothing
#[tokio::test]
async fn hostile_names_stay_text() {
    let long = "x".repeat(5000);
    for (hostile, shown) in [
        ("<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;"),
        ("\"><img src=x onerror=alert(1)>", "&#34;&#62;&#60;img src=x onerror=alert(1)&#62;"),
        (
            "</bdi></h1><form action=https://evil.example>",
            "&#60;/bdi&#62;&#60;/h1&#62;&#60;form action=https://evil.example&#62;",
        ),
        ("{{ brand }} {% raw %}", "{{ brand }} {% raw %}"),
        ("\u{202e}toof\u{2066}", "toof"),
        ("Claude\0\u{1b}[2J\r\n\r\nCode", "Claude[2J Code"),
        ("Cl\u{430}ude", "Cl\u{430}ude"),
        ("\u{200b}\u{3164}", "An application without a name"),
        (long.as_str(), &format!("{}…", "x".repeat(60))),
    ] {
        let pages = [
            body_of(samples::consent(|page| page.client.name = Some(hostile))).await,
            body_of(samples::sign_in(Some(hostile), "", false)).await,
            body_of(samples::end_session(Some(hostile))).await,
            body_of(samples::device_confirm(|page| page.client.name = Some(hostile))).await,
        ];
        for body in pages {
            assert!(body.contains(&format!("<bdi>{shown}</bdi>")), "{hostile:?} in {body}");
            for character in body.chars().filter(|c| *c != '\n') {
                assert!(!character.is_control() && !"\u{202e}\u{2066}\u{200b}\u{3164}".contains(character));
            }
            assert_eq!(body.matches("<form").count(), 1, "{hostile:?}");
        }
    }
}

/// SEC-12: markup in a user name or a hidden field -> it stays a value
#[tokio::test]
async fn hostile_form_values_stay_values() {
    let username = "\"><script>alert(1)</script>";
    let body = body_of(samples::sign_in(None, username, true)).await;
    assert!(body.contains("value=\"&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;\""));
    let hidden = [("state", "\" autofocus onfocus=\"alert(1)")];
    let body =
        body_of(samples::consent(|page| page.form = Form { action: "/consent", hidden: &hidden })).await;
    assert!(body.contains("value=\"&#34; autofocus onfocus=&#34;alert(1)\""));
}

/// SEC-12: a redirect to a program on this computer or to a look-alike host -> warned of, shown as xn--
#[tokio::test]
async fn consent_says_where_the_answer_goes() {
    for (destination, shown, loopback) in [
        (Destination::ThisComputer, "A program on this computer", true),
        (Destination::Web("claude.ai"), "<code>claude.ai</code>", false),
        (
            Destination::Web("cl\u{430}ude.ai"),
            "<code>xn--clude-5ve.ai</code> <small>An address with special",
            false,
        ),
        (Destination::App("cursor"), "The application that opens <code>cursor:</code> links", false),
    ] {
        let body = body_of(samples::consent(|page| page.client.destination = destination)).await;
        assert!(body.contains(&format!("<dt>Access goes to</dt><dd>{shown}")), "{shown}: {body}");
        assert_eq!(body.contains("Access goes to a program on this computer."), loopback, "{shown}");
    }
}

/// SEC-12: a scope of markup, a name of mixed scripts -> text, and a warning
#[tokio::test]
async fn consent_shows_scopes_in_words_and_warns_of_imitations() {
    let scopes = [
        Scope { name: "platform", description: Some("Use the tools of the platform") },
        Scope { name: "odd<scope>", description: None },
    ];
    let body = body_of(samples::consent(|page| page.scopes = &scopes)).await;
    assert!(body.contains("<li>Use the tools of the platform</li>"));
    assert!(body.contains("Use the permission <code><bdi>odd&#60;scope&#62;</bdi></code>"));
    assert!(!body.contains("Look closely at the name."));
    let body = body_of(samples::consent(|page| page.client.name = Some("Cl\u{430}ude"))).await;
    assert!(body.contains("Look closely at the name."));
    let body = body_of(samples::consent(|page| page.scopes = &[])).await;
    assert!(body.contains("<li>Use Quilt Platform with the permissions you have there</li>"), "{body}");
}

/// SEC-12: markup in a code, a device or an address of a device request -> text
/// SEC-37: a person is lured into allowing somebody else's device -> the page shows client, code and requester, and warns
#[tokio::test]
async fn a_device_is_confirmed_by_client_code_and_requester() {
    let body = body_of(samples::device_confirm(|_| {})).await;
    for shown in [
        "<h1>Connect <bdi>Headless agent</bdi> on another device?</h1>",
        "<code aria-describedby=\"compare\">WDJB-MJHT</code>",
        "<dt>Device</dt><dd><bdi>curl on Linux</bdi>",
        "<dt>Asks from</dt><dd><code>203.0.113.7</code>",
        "Access goes to that device, not to this one.",
        "<li>Use the tools of Quilt Platform</li>",
    ] {
        assert!(body.contains(shown), "{shown}: {body}");
    }
    let hostile = "</code></p><script>x\u{202e}";
    let body = body_of(samples::device_confirm(|page| {
        page.user_code = hostile;
        page.device = Some(hostile);
        page.requester = Some(hostile);
    }))
    .await;
    assert_eq!(body.matches("&#60;/code&#62;&#60;/p&#62;&#60;script&#62;x").count(), 3, "{body}");
    assert!(!body.contains('\u{202e}'));
    let bare = body_of(samples::device_confirm(|page| (page.device, page.requester) = (None, None))).await;
    assert!(!bare.contains("<dt>Device</dt>") && !bare.contains("<dt>Asks from</dt>"));
}

#[tokio::test]
async fn consent_says_how_long_access_lasts() {
    let day = Duration::from_hours(24);
    for (time, shown) in [
        (Some(90 * day), "Stay connected while you are away, for up to 90 days, without asking you again"),
        (Some(day + Duration::from_secs(1)), "for up to 2 days,"),
        (Some(Duration::from_secs(1)), "for up to 1 day,"),
        (None, "<ul class=\"scopes\">"),
    ] {
        let body = body_of(samples::consent(|page| page.renewable_for = time)).await;
        assert!(body.contains(shown), "{time:?}");
        assert_eq!(body.contains("Stay connected"), time.is_some(), "{time:?}");
    }
}

#[tokio::test]
async fn a_failed_sign_in_is_announced_and_keeps_the_name() {
    let body = body_of(samples::sign_in(Some("Claude Code"), "alice", true)).await;
    assert!(body.contains("role=\"alert\"") && body.contains("aria-invalid=\"true\""));
    assert!(body.contains("name=\"username\" type=\"text\" value=\"alice\""));
    assert!(!tags(&body, "<input").any(|tag| tag.contains("type=\"password\"") && tag.contains("value=")));
    let fresh = body_of(samples::sign_in(None, "", false)).await;
    assert!(!fresh.contains("role=\"alert\"") && !fresh.contains("aria-invalid=\""));
}

#[tokio::test]
async fn errors_show_remedy_and_reference_only_when_given() {
    let full = body_of(samples::error(Some("Try again in a minute."), Some("req-1"))).await;
    assert!(full.contains("Try again in a minute.") && full.contains("<code>req-1</code>"));
    let bare = body_of(samples::error(None, None)).await;
    assert!(!bare.contains("What you can do") && !bare.contains("Reference"));
}

#[tokio::test]
async fn the_brand_is_on_every_page() {
    for Sample { name, response, .. } in samples::all() {
        let (_, _, body) = read(response).await;
        assert!(body.contains("<span class=\"brand\">Acme &#38; Partners</span>"), "{name}");
        assert!(body.contains("href=\"https://help.acme.example/?a=1&#38;b=2\""), "{name}");
    }
}

#[tokio::test]
async fn pages_are_whole_documents() {
    for Sample { name, response, .. } in samples::all() {
        let (_, _, body) = read(response).await;
        assert!(body.trim_end().ends_with("</html>"), "{name}");
        for element in [
            "div", "section", "form", "ul", "ol", "li", "dl", "dt", "dd", "bdi", "p", "code", "span",
            "details", "summary", "time", "main",
        ] {
            let opened =
                body.matches(&format!("<{element}>")).count() + body.matches(&format!("<{element} ")).count();
            assert_eq!(opened, body.matches(&format!("</{element}>")).count(), "{name}: {element}");
        }
    }
}

/// SEC-12: markup, direction marks and look-alikes in every field of the account page -> bounded text, marked
#[tokio::test]
async fn an_account_shows_strangers_words_as_text() {
    let hostile = samples::all().into_iter().find(|sample| sample.name == "account-hostile").unwrap();
    let body = body_of(hostile.response).await;
    assert!(!body.contains("<script") && !body.contains('\u{202e}') && !body.contains("cl\u{430}ude.ai"));
    assert!(body.contains("<code>xn--clude-5ve.ai</code>"));
    assert!(body.contains("The name has letters that can pass for others."));
    assert_eq!(body.matches("&#60;/bdi&#62;&#60;/li&#62;").count(), 22, "{HOSTILE:?} {body}");
}

/// SEC-13: a form of the account page without its anti-forgery value -> there is none
#[tokio::test]
async fn every_form_of_an_account_carries_its_anti_forgery_value() {
    let body = body_of(samples::account(|_| {})).await;
    let forms: Vec<&str> =
        body.split("<form ").skip(1).map(|form| form.split("</form>").next().unwrap()).collect();
    assert_eq!(forms.len(), 4, "sign-out, one for each connection, everything");
    for form in forms {
        assert!(form.starts_with("method=\"post\" action=\"/account/"), "{form}");
        assert_eq!(
            form.matches("<input type=\"hidden\" name=\"csrf\" value=\"t0k3n\">").count(),
            1,
            "{form}"
        );
    }
    for shown in [
        "<input type=\"hidden\" name=\"grant\" value=\"grant-1\">",
        "<time datetime=\"2027-01-15T05:55:00Z\">2 hours ago</time>",
        "<dd>Not yet</dd>",
        "<dd><bdi>analyst</bdi></dd>",
        "<dd>Nothing. <bdi>Nobody has given you access to this yet.</bdi></dd>",
        "120 calls in a minute, at most 20 of them at once",
        "<code>vscode.dev</code>",
        "Use the tools of Quilt Platform; use the permission <code><bdi>platform:read</bdi></code>",
        "<p class=\"line alarm\">An application was disconnected for safety: its credential was used twice <strong><bdi>Codex</bdi></strong></p>",
        "15 Jan 2027, 08:00 UTC</time> · <bdi>Firefox on Linux · 203.0.113.0/24</bdi>",
    ] {
        assert!(body.contains(shown), "{shown}: {body}");
    }
}

/// SEC-63: the page of a token kept, sent again or with the token in an address -> no store, and the token is in its field only
/// SEC-12: markup in the name of a service of the portal -> text
#[tokio::test]
async fn a_token_is_shown_in_its_field_and_nowhere_else() {
    let (_, headers, body) = read(samples::token()).await;
    assert_eq!(headers["cache-control"], "no-store");
    let field = body.split_once("<textarea").unwrap().1.split_once("</textarea>").unwrap().0;
    for text in [&body, field] {
        assert_eq!(text.matches("eyJhbGciOiJFUzI1NiJ9.").count(), 30, "{text}");
    }
    assert!(body.contains("readonly") && body.contains("<label for=\"token\">Access token</label>"));
    assert!(body.contains("Bearer ${CONNECT_TOKEN}"), "{body}");
    let body = body_of(samples::portal()).await;
    for shown in [
        "<input type=\"hidden\" name=\"once\" value=\"once-1\">",
        "for 15 minutes; it cannot be renewed",
        "<bdi>&#60;/bdi&#62;&#60;/li&#62;&#60;script&#62;alert(1)&#60;/script&#62;Cl\u{430}ude</bdi>",
        "Nobody has given you access to this yet.",
    ] {
        assert!(body.contains(shown), "{shown}: {body}");
    }
}

/// SEC-11: a logo -> the only picture, from this origin, and allowed by name
#[tokio::test]
async fn a_logo_and_an_accent_are_on_the_page_and_in_its_policy() {
    let brand = Brand::default().with_logo(b"\x89PNG\r\n\x1a\n").unwrap().with_accent("#b00020").unwrap();
    let page = NoticePage { brand: &brand, title: "Title", text: "Text", link: None };
    let (_, headers, body) = read(page.respond(StatusCode::OK)).await;
    assert_eq!(body.matches("<img class=\"logo\" src=\"/brand/logo\" alt=\"\">").count(), 1);
    assert!(!body.contains("class=\"mark\"") && body.contains("--accent: #b00020;"));
    let style = body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'none'"
    );
    assert_eq!(headers["content-security-policy"], policy);
}

async fn body_of(response: Response) -> String {
    read(response).await.2
}

fn tags<'a>(body: &'a str, open: &'a str) -> impl Iterator<Item = &'a str> {
    body.split(open).skip(1).map(|rest| rest.split('>').next().unwrap())
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// Whether a tag has an attribute such as `onclick`.
fn has_handler(body: &str) -> bool {
    tags(body, "<")
        .any(|tag| tag.split_whitespace().skip(1).any(|part| part.starts_with("on") && part.contains('=')))
}
