//! One of each page, with the facts a real flow would give it.

use std::{sync::LazyLock, time::Duration};

use axum::response::Response;
use http::StatusCode;

use crate::pages::*;

pub(super) const FORM: Form<'static> =
    Form { action: "/consent", hidden: &[("csrf", "t0k3n"), ("flow", "f-1234")] };

pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) status: StatusCode,
    pub(super) response: Response,
    pub(super) has_form: bool,
}

pub(super) fn all() -> Vec<Sample> {
    let ok = StatusCode::OK;
    let sample = |name, status, response, has_form| Sample { name, status, response, has_form };
    vec![
        sample("consent", ok, consent(|_| {}), true),
        sample(
            "consent-loopback",
            ok,
            consent(|page| page.client.destination = Destination::ThisComputer),
            true,
        ),
        sample("consent-hostile", ok, hostile_consent(), true),
        sample("sign-in", ok, sign_in(Some("Claude Code"), "", false), true),
        sample("sign-in-failed", ok, sign_in(Some("Claude Code"), "alice", true), true),
        sample("chooser", ok, chooser(), true),
        sample(
            "error",
            StatusCode::SERVICE_UNAVAILABLE,
            error(Some(REMEDY), Some("019aa1b2-7c3d-7e4f")),
            false,
        ),
        sample("device-code", ok, device_code(false), true),
        sample("device-code-failed", ok, device_code(true), true),
        sample("device-confirm", ok, device_confirm(|_| {}), true),
        sample("device-done", ok, device_end(true), false),
        sample("device-denied", ok, device_end(false), false),
        sample("error-bare", StatusCode::SERVICE_UNAVAILABLE, error(None, None), false),
    ]
}

const REMEDY: &str = "Wait a minute, then start the sign-in again from your application.";

static BRAND: LazyLock<Brand> =
    LazyLock::new(|| Brand::new("Acme & Partners", Some("https://help.acme.example/?a=1&b=2")).unwrap());

pub(super) fn consent<'a>(change: impl FnOnce(&mut ConsentPage<'a>)) -> Response {
    let mut page = ConsentPage {
        brand: &BRAND,
        client: Client {
            name: Some("Claude Code"),
            id_host: None,
            destination: Destination::Web("claude.ai"),
        },
        service: "Quilt Platform",
        scopes: &[
            Scope {
                name: "platform",
                description: Some("Use the tools of Quilt Platform with your permissions"),
            },
            Scope { name: "platform:read", description: Some("Read what you may read") },
        ],
        renewable_for: Some(Duration::from_hours(90 * 24)),
        person: None,
        form: FORM,
    };
    change(&mut page);
    page.respond(StatusCode::OK)
}

fn hostile_consent() -> Response {
    consent(|page| {
        page.client = Client {
            name: Some(
                "\u{202e}Cl\u{430}ude</bdi><script>alert(1)</script> by Anthropic, verified and approved",
            ),
            id_host: Some("accounts.google.com.sign-in.session-0123456789-abcdefghijklmnop.evil-example.com"),
            destination: Destination::Web("cl\u{430}ude.ai"),
        };
        page.person = Some("alice@acme.example");
        page.scopes = &[Scope { name: "admin:everything", description: None }];
    })
}

pub(super) fn sign_in(client_name: Option<&str>, username: &str, failed: bool) -> Response {
    SignInPage { brand: &BRAND, client_name, username, failed, form: FORM }.respond(StatusCode::OK)
}

pub(super) fn chooser() -> Response {
    let providers = [
        Provider { id: "staff", label: "Acme staff" },
        Provider { id: "partners", label: "Partner companies" },
    ];
    ChooserPage { brand: &BRAND, client_name: Some("Claude Code"), providers: &providers, form: FORM }
        .respond(StatusCode::OK)
}

pub(super) fn error(remedy: Option<&str>, reference: Option<&str>) -> Response {
    ErrorPage {
        brand: &BRAND,
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: "The sign-in service does not answer",
        text: "Acme staff cannot be reached at the moment, so nobody can sign in through it.",
        remedy,
        reference,
    }
    .respond()
}

pub(super) fn device_code(failed: bool) -> Response {
    DeviceCodePage { brand: &BRAND, form: FORM, failed }.respond(StatusCode::OK)
}

pub(super) fn device_confirm<'a>(change: impl FnOnce(&mut DeviceConfirmPage<'a>)) -> Response {
    let mut page = DeviceConfirmPage {
        brand: &BRAND,
        client: Client { name: Some("Headless agent"), id_host: None, destination: Destination::OtherDevice },
        service: "Quilt Platform",
        scopes: &[Scope { name: "platform", description: Some("Use the tools of Quilt Platform") }],
        user_code: "WDJB-MJHT",
        requester: Some("203.0.113.7"),
        device: Some("curl on Linux"),
        form: FORM,
    };
    change(&mut page);
    page.respond(StatusCode::OK)
}

pub(super) fn device_end(connected: bool) -> Response {
    DevicePage { brand: &BRAND, client_name: Some("Headless agent"), connected }.respond()
}
