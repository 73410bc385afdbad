//! Where a request comes from.

use std::net::IpAddr;

/// The address of the caller, as far as the binary can tell it from that of a proxy. The binary puts it into the request's
/// extensions; without it nothing is counted by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);
