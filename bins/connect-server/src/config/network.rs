//! Networks in CIDR notation.

use std::{net::IpAddr, str::FromStr};

use super::values::Invalid;

/// A network such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    mask: u128,
    is_v4: bool,
}

impl Network {
    pub(crate) const EXPECTED: &str =
        "a network such as \"10.0.0.0/8\" or \"fd00::/8\", without bits behind its prefix";

    /// Whether the address is in it. A mapped IPv4 address is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, is_v4) = bits(address.to_canonical());
        is_v4 == self.is_v4 && bits & self.mask == self.first
    }
}

/// The address as a number; an IPv4 address in the lower bits.
fn bits(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), true),
        IpAddr::V6(address) => (address.into(), false),
    }
}

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = text.split_once('/').ok_or(Invalid)?;
        let address: IpAddr = address.parse().map_err(|_| Invalid)?;
        let (first, is_v4) = bits(address);
        let length: u32 = if is_v4 { 32 } else { 128 };
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u32 = prefix.parse().ok().filter(|_| is_number).ok_or(Invalid)?;
        let behind = length.checked_sub(prefix).ok_or(Invalid)?;
        let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
        // A typing mistake must not widen whom we trust.
        if first & mask == first { Ok(Self { first, mask, is_v4 }) } else { Err(Invalid) }
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn a_network_holds_its_addresses_only() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::a00:1", false),
            ("192.0.2.7/32", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "2001:db8::1", true),
        ];
        for (network, address, expected) in cases {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{network:?} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::/129", "x/8", "", "10/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
