//! The pages on which a person connects a device that shows them a code (RFC 8628 §3.3).

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{
    brand::Brand,
    display::{display_host, display_text, has_lookalikes, initial},
    html::{MAX_NAME, ScopeLine, scope_lines, shown_name},
    response::{Forms, answer},
    view::{Client, Form, Scope},
};

const MAX_CODE: usize = 32;

/// Asks for the code: posts `user_code` and `decision=continue`.
pub(crate) struct DeviceCodePage<'a> {
    pub(crate) brand: &'a Brand,
    pub(crate) form: Form<'a>,
    /// Whether the code before was wrong.
    pub(crate) failed: bool,
}

/// Asks whether the device may act for the person (SEC-37): posts `decision=allow` or `decision=cancel`.
pub(crate) struct DeviceConfirmPage<'a> {
    pub(crate) brand: &'a Brand,
    pub(crate) client: Client<'a>,
    /// The name of the service the client wants to reach.
    pub(crate) service: &'a str,
    pub(crate) scopes: &'a [Scope<'a>],
    /// The code as the device shows it.
    pub(crate) user_code: &'a str,
    /// The network address that asked for the code.
    pub(crate) requester: Option<&'a str>,
    /// What asked for the code, in words.
    pub(crate) device: Option<&'a str>,
    pub(crate) form: Form<'a>,
}

/// Says how it ended.
pub(crate) struct DevicePage<'a> {
    pub(crate) brand: &'a Brand,
    /// The name of the client.
    pub(crate) client_name: Option<&'a str>,
    /// Whether it may act for the person now.
    pub(crate) connected: bool,
}

#[derive(Template)]
#[template(path = "device_code.html")]
struct DeviceCodeHtml<'a> {
    brand: &'a Brand,
    failed: bool,
    form: Form<'a>,
}

#[derive(Template)]
#[template(path = "device_confirm.html")]
struct DeviceConfirmHtml<'a> {
    brand: &'a Brand,
    client_name: String,
    client_initial: String,
    service: String,
    service_initial: String,
    lookalike: bool,
    id_host: Option<String>,
    scopes: Vec<ScopeLine<'a>>,
    renewable_days: Option<u64>,
    user_code: String,
    requester: Option<String>,
    device: Option<String>,
    form: Form<'a>,
}

#[derive(Template)]
#[template(path = "device_end.html")]
struct DeviceEndHtml<'a> {
    brand: &'a Brand,
    client_name: String,
    connected: bool,
}

impl DeviceCodePage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let page = DeviceCodeHtml { brand: self.brand, failed: self.failed, form: self.form };
        answer(self.brand, status, &page, Forms::Redirecting)
    }
}

impl DeviceConfirmPage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let client_name = shown_name(self.client.name);
        let service = display_text(self.service, MAX_NAME);
        let page = DeviceConfirmHtml {
            brand: self.brand,
            client_initial: initial(&client_name),
            service_initial: initial(&service),
            lookalike: has_lookalikes(&client_name),
            client_name,
            service,
            id_host: self.client.id_host.map(display_host),
            scopes: scope_lines(self.scopes),
            renewable_days: None,
            user_code: display_text(self.user_code, MAX_CODE),
            requester: self.requester.map(|address| display_text(address, MAX_NAME)),
            device: self.device.map(|device| display_text(device, MAX_NAME)),
            form: self.form,
        };
        answer(self.brand, status, &page, Forms::Redirecting)
    }
}

impl DevicePage<'_> {
    /// The page as an answer.
    pub(crate) fn respond(&self) -> Response {
        let page = DeviceEndHtml {
            brand: self.brand,
            client_name: shown_name(self.client_name),
            connected: self.connected,
        };
        answer(self.brand, StatusCode::OK, &page, Forms::None)
    }
}
