//! Which addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use public_fetch::is_public;

/// What a reviewer read: `tests/cases/addresses.txt`.
const TABLE: &str = include_str!("../cases/addresses.txt");

fn verdict(address: IpAddr) -> &'static str {
    is_public(address).map_or_else(public_fetch::WhyNot::reason, |()| "public")
}

/// SEC-41: an address of any special range, its first or its last -> not public, the neighbours are
#[test]
fn every_address_of_the_table_is_what_it_says() {
    let rows: Vec<_> = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for row in &rows {
        let (address, expected) = row.split_once(' ').unwrap();
        assert_eq!(verdict(address.parse().unwrap()), expected.trim(), "{address}");
    }
    assert!(rows.len() > 140, "{} rows", rows.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// SEC-41: what the standard library calls special -> not public
    #[test]
    fn what_the_standard_library_calls_special_is_not_public(v4 in any::<u32>(), v6 in any::<u128>()) {
        let v4 = Ipv4Addr::from_bits(v4);
        let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
            || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
        prop_assert!(!(special && is_public(v4.into()).is_ok()), "{v4}");
        let v6 = Ipv6Addr::from_bits(v6);
        let special = v6.is_multicast() || v6.is_unique_local() || v6.is_unicast_link_local();
        prop_assert!(!(special && is_public(v6.into()).is_ok()), "{v6}");
    }

    /// SEC-41: an IPv4 address in the clothes of IPv6 -> not public, whatever the IPv4 address is
    #[test]
    fn an_ipv4_address_within_ipv6_is_not_public(bits in any::<u32>(), rest in any::<u128>()) {
        let v4 = u128::from(bits);
        let low = rest >> 48;
        let forms = [
            v4,
            0xffff << 32 | v4,
            0xffff << 48 | v4,
            0x64_ff9b << 96 | v4,
            0x64_ff9b_0001 << 80 | low,
            0x2002 << 112 | v4 << 80 | low,
            0x2001 << 112 | v4 << 64 | (rest >> 64),
        ];
        for form in forms {
            let form = Ipv6Addr::from_bits(form);
            prop_assert!(is_public(form.into()).is_err(), "{form}");
        }
    }

    /// SEC-41: an IPv6 address outside of 2000::/3 -> not public
    #[test]
    fn only_global_unicast_is_public(bits in any::<u128>()) {
        let address = Ipv6Addr::from_bits(bits);
        prop_assert!(is_public(address.into()).is_err() || address.segments()[0] >> 13 == 1, "{address}");
    }
}
