//! One of each page, with the facts a real flow would give it.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::response::Response;
use http::StatusCode;
use secrecy::SecretString;

use crate::{
    account_facts::Facts,
    pages::{response::Forms, *},
    store::ActivityKind,
};

pub(super) const FORM: Form<'static> =
    Form { action: "/consent", hidden: &[("csrf", "t0k3n"), ("flow", "f-1234")] };

pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) status: StatusCode,
    pub(super) response: Response,
    pub(super) forms: Forms,
}

pub(super) fn all() -> Vec<Sample> {
    let ok = StatusCode::OK;
    let sample = |name, status, response, forms| Sample { name, status, response, forms };
    let (leading, none) = (Forms::Redirecting, Forms::None);
    vec![
        sample("consent", ok, consent(|_| {}), leading),
        sample(
            "consent-loopback",
            ok,
            consent(|page| page.client.destination = Destination::ThisComputer),
            leading,
        ),
        sample("consent-hostile", ok, hostile_consent(), leading),
        sample("sign-in", ok, sign_in(Some("Claude Code"), "", false), leading),
        sample("sign-in-failed", ok, sign_in(Some("Claude Code"), "alice", true), leading),
        sample("chooser", ok, chooser(), leading),
        sample(
            "error",
            StatusCode::SERVICE_UNAVAILABLE,
            error(Some(REMEDY), Some("019aa1b2-7c3d-7e4f")),
            none,
        ),
        sample("device-code", ok, device_code(false), leading),
        sample("device-code-failed", ok, device_code(true), leading),
        sample("device-confirm", ok, device_confirm(|_| {}), leading),
        sample("device-done", ok, device_end(true), none),
        sample("device-denied", ok, device_end(false), none),
        sample("error-bare", StatusCode::SERVICE_UNAVAILABLE, error(None, None), none),
        sample("account", ok, account(|_| {}), Forms::Own),
        sample("account-empty", ok, empty_account(), Forms::Own),
        sample("account-hostile", ok, hostile_account(), Forms::Own),
        sample("notice", ok, notice(), none),
        sample("end-session", ok, end_session(Some("Claude Code")), leading),
        sample("portal", ok, portal(), Forms::Own),
        sample("token", ok, token(), none),
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
    ChooserPage {
        brand: &BRAND,
        client_name: Some("Claude Code"),
        providers: &providers,
        by_email: true,
        unknown: Some("ada@nowhere.example"),
        form: FORM,
    }
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

pub(super) fn notice() -> Response {
    NoticePage {
        brand: &BRAND,
        title: "You are signed out",
        text: "This browser is not signed in any more. What is connected in your name stays connected.",
        link: Some(("Sign in again", "/account")),
    }
    .respond(StatusCode::OK)
}

const DAY: Duration = Duration::from_hours(24);

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

pub(super) fn connection(client_name: &'static str) -> Connection<'static> {
    Connection {
        id: "grant-1",
        client_name: Some(client_name),
        id_host: None,
        service: "Quilt Platform",
        device: Some("Firefox on Linux"),
        since: now() - 20 * DAY,
        last_used: Some(now() - Duration::from_mins(125)),
        expires: now() + 70 * DAY,
        role: Some(Ok("analyst".to_owned())),
        scopes: vec![
            Scope { name: "platform", description: Some("Use the tools of Quilt Platform") },
            Scope { name: "platform:read", description: None },
        ],
    }
}

pub(super) fn account<'a>(change: impl FnOnce(&mut AccountPage<'a>)) -> Response {
    let entry = |kind, days: u32, client| Entry {
        kind,
        at: now() - days * DAY,
        client,
        device: Some("Firefox on Linux"),
        network: Some("203.0.113.0/24"),
    };
    let mut page = AccountPage {
        brand: &BRAND,
        person: "Ada Lovelace",
        source: Some("Acme staff"),
        notice: Some("The application was disconnected. It cannot act for you any more."),
        connections: vec![
            connection("Claude"),
            Connection {
                id: "grant-2",
                id_host: Some("vscode.dev".to_owned()),
                device: None,
                last_used: None,
                role: Some(Err("Nobody has given you access to this yet.".to_owned())),
                ..connection("Visual Studio Code")
            },
        ],
        more: Some("/account?after=1800000000000.grant-2"),
        standings: vec![
            Standing {
                service: "Quilt Platform",
                facts: Facts::Served {
                    role: "analyst".to_owned(),
                    requests_per_minute: Some(120),
                    burst: Some(20),
                },
            },
            Standing {
                service: "Billing",
                facts: Facts::NotServed { reason: "Nobody has given you access to this yet.".to_owned() },
            },
        ],
        activity: vec![
            entry(ActivityKind::SignedIn, 0, None),
            entry(ActivityKind::Connected, 1, Some("Claude")),
            entry(ActivityKind::SignInRefused, 2, None),
            entry(ActivityKind::DisconnectedAfterReplay, 3, Some("Codex")),
        ],
        portal: true,
        csrf: "t0k3n",
        now: now(),
    };
    change(&mut page);
    page.respond(StatusCode::OK)
}

fn empty_account() -> Response {
    account(|page| {
        page.notice = None;
        page.source = None;
        page.connections.clear();
        page.more = None;
        page.standings.clear();
        page.activity.clear();
    })
}

pub(super) const HOSTILE: &str = "\u{202e}</bdi></li><script>alert(1)</script>Cl\u{430}ude";

fn hostile_account() -> Response {
    account(|page| {
        page.person = HOSTILE;
        page.source = Some(HOSTILE);
        page.connections = vec![Connection {
            id_host: Some("cl\u{430}ude.ai".to_owned()),
            service: HOSTILE,
            device: Some(HOSTILE),
            role: Some(Err(HOSTILE.to_owned())),
            scopes: vec![Scope { name: HOSTILE, description: None }],
            ..connection(HOSTILE)
        }];
        page.standings = vec![Standing {
            service: HOSTILE,
            facts: Facts::Served { role: HOSTILE.to_owned(), requests_per_minute: None, burst: None },
        }];
        for entry in &mut page.activity {
            entry.client = Some(HOSTILE);
            entry.device = Some(HOSTILE);
            entry.network = Some(HOSTILE);
        }
    })
}

pub(super) fn portal() -> Response {
    PortalPage {
        brand: &BRAND,
        person: "Ada Lovelace",
        lifetime: Duration::from_mins(15),
        choices: vec![
            PortalChoice {
                resource: "https://connect.acme.example/mcp/platform",
                service: "Quilt Platform",
                refusal: None,
            },
            PortalChoice {
                resource: "https://connect.acme.example/mcp/billing",
                service: HOSTILE,
                refusal: Some("Nobody has given you access to this yet.".to_owned()),
            },
        ],
        csrf: "t0k3n",
        once: "once-1",
    }
    .respond(StatusCode::OK)
}

pub(super) fn token() -> Response {
    TokenPage {
        brand: &BRAND,
        token: &SecretString::from("eyJhbGciOiJFUzI1NiJ9.".repeat(30)),
        service: "Quilt Platform",
        resource: "https://connect.acme.example/mcp/platform",
        expires: now() + Duration::from_mins(15),
    }
    .respond(StatusCode::OK)
}

pub(super) fn end_session(client_name: Option<&str>) -> Response {
    EndSessionPage { brand: &BRAND, person: "Ada Lovelace", client_name, form: FORM }.respond(StatusCode::OK)
}
