//! Which addresses belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not one of the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum WhyNot {
    /// No host, or a host of this network.
    #[error("the address means this network or no host")]
    Unspecified,
    /// This machine.
    #[error("the address is loopback")]
    Loopback,
    /// A private network.
    #[error("the address is of a private network")]
    Private,
    /// The network between a provider and its customers.
    #[error("the address is of a provider's internal network")]
    Shared,
    /// This link only; here the metadata and credential services of clouds are.
    #[error("the address is link-local")]
    LinkLocal,
    /// Site-local addresses of IPv6, which are no longer given out.
    #[error("the address is site-local")]
    SiteLocal,
    /// A public address that means a service of the cloud we may run in.
    #[error("the address is a cloud's own service")]
    CloudService,
    /// For the protocols themselves, among them Teredo.
    #[error("the address is assigned to a protocol")]
    Protocol,
    /// For examples in texts.
    #[error("the address is for documentation")]
    Documentation,
    /// For measuring network devices.
    #[error("the address is for benchmarks")]
    Benchmark,
    /// Anycast services of the network: sinks and relays.
    #[error("the address is of a network service")]
    NetworkService,
    /// A group of hosts.
    #[error("the address is multicast")]
    Multicast,
    /// All hosts of a network.
    #[error("the address is broadcast")]
    Broadcast,
    /// An IPv6 address that contains an IPv4 address and may be translated to it.
    #[error("the address contains an IPv4 address")]
    EmbedsIpv4,
    /// Not given out to anybody.
    #[error("the address is reserved")]
    Reserved,
}

impl WhyNot {
    /// A stable machine-readable word, for logs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::LinkLocal => "link_local",
            Self::SiteLocal => "site_local",
            Self::CloudService => "cloud_service",
            Self::Protocol => "protocol",
            Self::Documentation => "documentation",
            Self::Benchmark => "benchmark",
            Self::NetworkService => "network_service",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::EmbedsIpv4 => "embeds_ipv4",
            Self::Reserved => "reserved",
        }
    }
}

/// Whether `address` belongs to the public internet.
///
/// An IPv6 address that contains an IPv4 address does not, whatever that address is: who reaches it by which way is not
/// ours to say.
///
/// # Errors
/// [`WhyNot`] with the kind of address that it is.
pub fn is_public(address: IpAddr) -> Result<(), WhyNot> {
    let why = match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    };
    why.map_or(Ok(()), Err)
}

/// What RFC 6890 and the IANA registry of special-purpose IPv4 addresses list, and what is not unicast. The first row
/// that covers an address counts.
const SPECIAL_V4: [(Ipv4Addr, u32, WhyNot); 20] = [
    (Ipv4Addr::UNSPECIFIED, 8, WhyNot::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, WhyNot::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, WhyNot::Shared),
    (Ipv4Addr::new(127, 0, 0, 0), 8, WhyNot::Loopback),
    // The wire server of Azure.
    (Ipv4Addr::new(168, 63, 129, 16), 32, WhyNot::CloudService),
    (Ipv4Addr::new(169, 254, 0, 0), 16, WhyNot::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, WhyNot::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, WhyNot::Protocol),
    (Ipv4Addr::new(192, 0, 2, 0), 24, WhyNot::Documentation),
    // AS112, AMT, the relays of 6to4, AS112 again (RFC 7535, RFC 7450, RFC 7526, RFC 7534).
    (Ipv4Addr::new(192, 31, 196, 0), 24, WhyNot::NetworkService),
    (Ipv4Addr::new(192, 52, 193, 0), 24, WhyNot::NetworkService),
    (Ipv4Addr::new(192, 88, 99, 0), 24, WhyNot::NetworkService),
    (Ipv4Addr::new(192, 175, 48, 0), 24, WhyNot::NetworkService),
    (Ipv4Addr::new(192, 168, 0, 0), 16, WhyNot::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, WhyNot::Benchmark),
    (Ipv4Addr::new(198, 51, 100, 0), 24, WhyNot::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, WhyNot::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, WhyNot::Multicast),
    (Ipv4Addr::BROADCAST, 32, WhyNot::Broadcast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, WhyNot::Reserved),
];

/// The same for IPv6. The first row that covers an address counts.
const SPECIAL_V6: [(Ipv6Addr, u32, WhyNot); 15] = [
    (Ipv6Addr::UNSPECIFIED, 128, WhyNot::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, WhyNot::Loopback),
    // Compatible and mapped (RFC 4291 §2.5.5), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056).
    (Ipv6Addr::UNSPECIFIED, 96, WhyNot::EmbedsIpv4),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, WhyNot::EmbedsIpv4),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, WhyNot::EmbedsIpv4),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, WhyNot::EmbedsIpv4),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, WhyNot::EmbedsIpv4),
    // Teredo is the first part of this block (RFC 4380, RFC 2928).
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, WhyNot::Protocol),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, WhyNot::Documentation),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, WhyNot::NetworkService),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, WhyNot::Documentation),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, WhyNot::Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, WhyNot::LinkLocal),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, WhyNot::SiteLocal),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, WhyNot::Multicast),
];

/// The only block that global unicast addresses are given from (RFC 4291 §2.4); what lies outside is not public, even
/// when no row names it.
const GLOBAL_UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

fn special_v4(address: Ipv4Addr) -> Option<WhyNot> {
    let covers =
        |network: Ipv4Addr, prefix: u32| (address.to_bits() ^ network.to_bits()).leading_zeros() >= prefix;
    SPECIAL_V4.iter().find(|(network, prefix, _)| covers(*network, *prefix)).map(|(_, _, why)| *why)
}

fn special_v6(address: Ipv6Addr) -> Option<WhyNot> {
    let covers =
        |network: Ipv6Addr, prefix: u32| (address.to_bits() ^ network.to_bits()).leading_zeros() >= prefix;
    let row = SPECIAL_V6.iter().find(|(network, prefix, _)| covers(*network, *prefix));
    let (global, prefix) = GLOBAL_UNICAST_V6;
    row.map(|(_, _, why)| *why).or_else(|| (!covers(global, prefix)).then_some(WhyNot::Reserved))
}

#[cfg(test)]
mod tests {
    use super::{SPECIAL_V4, SPECIAL_V6};

    /// A row with bits beyond its prefix would still match, but say something else than it means.
    #[test]
    fn every_row_is_a_network() {
        for (network, prefix, _) in SPECIAL_V4 {
            assert!(prefix <= 32 && network.to_bits().trailing_zeros() >= 32 - prefix, "{network}/{prefix}");
        }
        for (network, prefix, _) in SPECIAL_V6 {
            assert!(
                prefix <= 128 && network.to_bits().trailing_zeros() >= 128 - prefix,
                "{network}/{prefix}"
            );
        }
    }
}
