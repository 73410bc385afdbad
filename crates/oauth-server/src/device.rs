//! The device authorization grant (RFC 8628): a client without a browser shows a code, a person types it elsewhere.

mod attempts;
mod authorization;
mod page;
mod user_code;

pub(crate) use attempts::Attempts;
pub(crate) use authorization::authorize;
pub(crate) use page::{approve, ask, deny, submit};

use crate::{
    config::DeviceClients,
    server::Server,
    store::{Client, ClientOrigin, GrantType},
};

/// Whether a client may use this grant: it is registered for it, and the operator lets clients of its origin.
pub(crate) fn is_allowed(server: &Server, client: &Client) -> bool {
    let origin = match server.config.device_clients {
        DeviceClients::Off => false,
        DeviceClients::Operator => client.origin == ClientOrigin::Operator,
        DeviceClients::Any => true,
    };
    origin && client.may(GrantType::DeviceCode)
}
