//! The values of settings: parsed at the edge, trusted afterwards.

use std::{collections::BTreeSet, fmt, net::IpAddr, str::FromStr};

use http::{Uri, uri::Authority};

/// The text is not such a value; the accessor says what would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a value of this kind")]
pub struct Invalid;

/// Name of an AWS region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region(String);

impl Region {
    pub(crate) const EXPECTED: &str = "a region such as \"eu-central-1\"";

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let shaped = text.split('-').count() >= 3 && text.split('-').all(|part| !part.is_empty());
        (legal && shaped && text.len() <= 32).then(|| Self(text.to_owned())).ok_or(Invalid)
    }
}

/// URL of an AWS service: https, or http on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    pub(crate) const EXPECTED: &str =
        "an https URL (http only for this machine) without user, query or fragment";

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EndpointUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| Invalid)?;
        let authority = uri.authority().ok_or(Invalid)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => is_loopback(authority.host()),
            _ => false,
        };
        let plain = !authority.as_str().contains('@') && uri.query().is_none() && !text.contains('#');
        (secure && plain).then(|| Self(text.trim_end_matches('/').to_owned())).ok_or(Invalid)
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Which session tags persist when the session assumes a further role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TransitiveTags {
    /// Every tag.
    #[default]
    All,
    /// These, where the decision has them.
    Only(BTreeSet<String>),
}

impl TransitiveTags {
    pub(crate) const EXPECTED: &str = "\"all\", \"none\" or tag keys separated by commas";

    /// The keys, of those given, that persist.
    pub(crate) fn among<'a>(&self, keys: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
        let persists = |key: &&str| match self {
            Self::All => true,
            Self::Only(chosen) => chosen.contains(*key),
        };
        keys.filter(persists).map(str::to_owned).collect()
    }
}

impl FromStr for TransitiveTags {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::Only(BTreeSet::new())),
            keys => {
                let keys: BTreeSet<String> = keys.split(',').map(|key| key.trim().to_owned()).collect();
                if keys.contains("") { Err(Invalid) } else { Ok(Self::Only(keys)) }
            }
        }
    }
}

/// A value of `Host`: a name or address, with or without a port.
pub(crate) struct HostName(pub(crate) String);

impl HostName {
    pub(crate) const EXPECTED: &str = "a host name such as \"mcp.internal\" or \"mcp.internal:8082\"";
}

impl FromStr for HostName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let authority: Authority = text.parse().map_err(|_| Invalid)?;
        let plain = !text.contains(['@', '*']) && !authority.host().is_empty();
        plain.then(|| Self(text.to_owned())).ok_or(Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_three_parts() {
        for (text, good) in [
            ("eu-central-1", true),
            ("us-gov-west-1", true),
            ("", false),
            ("eu", false),
            ("eu-central", false),
            ("EU-CENTRAL-1", false),
            ("eu-central-1.evil.test", false),
            ("eu--1", false),
        ] {
            assert_eq!(text.parse::<Region>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn endpoints_are_encrypted_or_local() {
        for (text, good) in [
            ("https://s3.example.com", true),
            ("http://127.0.0.1:4566/", true),
            ("http://[::1]:4566", true),
            ("http://localhost:4566", true),
            ("http://s3.example.com", false),
            ("http://127.0.0.1.evil.test", false),
            ("https://user@s3.example.com", false),
            ("https://s3.example.com?x=1", false),
            ("ftp://localhost", false),
            ("s3.example.com", false),
        ] {
            assert_eq!(text.parse::<EndpointUrl>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn transitive_tags_are_all_none_or_named() {
        let among = |text: &str| {
            text.parse::<TransitiveTags>()
                .map(|tags| Vec::from_iter(tags.among(["team", "tenant"].into_iter())))
        };
        assert_eq!(among("all"), Ok(vec!["team".to_owned(), "tenant".to_owned()]));
        assert_eq!(among("none"), Ok(vec![]));
        assert_eq!(among("tenant, other"), Ok(vec!["tenant".to_owned()]));
        assert_eq!(among("tenant,"), Err(Invalid));
        assert_eq!(among(""), Err(Invalid));
    }
}
