//! Where a request comes from.

use std::net::IpAddr;

/// The address of the caller, as far as the binary can tell it from that of a proxy. The binary puts it into the request's
/// extensions; without it nothing is counted by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// What is counted as one caller: who has one IPv6 address has the whole /64.
    pub(crate) fn network(self) -> u128 {
        match self.0.to_canonical() {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address) & !u128::from(u64::MAX),
        }
    }
}
