//! The operator's list.

use std::{collections::HashSet, fmt, net::Ipv6Addr};

use crate::{
    grammar::{ends_in_number, is_host_text},
    scheme,
};

/// Where authorization codes may go: the parsed list. The default is the empty list, which allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    names: HashSet<String>,
    /// Without the dot that they were listed with.
    suffixes: HashSet<String>,
    schemes: HashSet<String>,
    ipv4_loopback: bool,
    ipv6_loopback: bool,
}

impl AllowedHosts {
    /// Reads a comma-separated list. Entries that cannot be used are left out and reported.
    #[must_use]
    pub fn parse(list: &str) -> (Self, Vec<IgnoredEntry>) {
        let mut hosts = Self::default();
        let mut ignored = Vec::new();
        if list.trim_ascii().is_empty() {
            return (hosts, ignored);
        }
        for (index, entry) in list.split(',').enumerate() {
            let entry = entry.trim_ascii();
            if let Err(reason) = hosts.add(entry) {
                ignored.push(IgnoredEntry { position: index + 1, entry: entry.to_owned(), reason });
            }
        }
        (hosts, ignored)
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a lower-case host name of https is listed, itself or by a suffix.
    #[must_use]
    pub fn lists_name(&self, name: &str) -> bool {
        let mut parents = std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.'));
        self.names.contains(name) || parents.any(|(_, parent)| self.suffixes.contains(parent))
    }

    /// Whether a lower-case scheme is listed.
    pub(crate) fn lists_scheme(&self, scheme: &str) -> bool {
        self.schemes.contains(scheme)
    }

    /// Whether a lower-case host of http is a loopback host that is listed.
    pub(crate) fn lists_loopback(&self, host: &str) -> bool {
        match host {
            "localhost" | "127.0.0.1" => self.ipv4_loopback,
            "[::1]" => self.ipv6_loopback,
            _ => false,
        }
    }

    fn add(&mut self, entry: &str) -> Result<(), IgnoredReason> {
        let lower = entry.to_ascii_lowercase();
        let entry = lower.strip_suffix('.').unwrap_or(&lower);
        match entry {
            "" => return Err(IgnoredReason::Empty),
            "localhost" | "127.0.0.1" => self.ipv4_loopback = true,
            "[::1]" => self.ipv6_loopback = true,
            _ => {
                match (entry.split_once("://"), entry.strip_prefix('.')) {
                    (Some((scheme, rest)), _) => self.schemes.insert(listable_scheme(scheme, rest)?),
                    (None, Some(suffix)) => self.suffixes.insert(listable_suffix(suffix)?),
                    (None, None) => self.names.insert(listable_name(entry)?),
                };
            }
        }
        Ok(())
    }
}

fn listable_scheme(scheme: &str, rest: &str) -> Result<String, IgnoredReason> {
    // `javascript.://` and `javascript ://` are read as `javascript://` by some.
    let bare = scheme.trim_ascii_end().trim_end_matches('.');
    if !rest.is_empty() {
        return Err(IgnoredReason::Url);
    }
    if scheme::is_network(bare) {
        return Err(IgnoredReason::NetworkScheme);
    }
    if scheme::is_forbidden(bare) {
        return Err(IgnoredReason::ForbiddenScheme);
    }
    if !scheme::is_scheme(scheme) {
        return Err(IgnoredReason::Malformed);
    }
    Ok(scheme.to_owned())
}

fn listable_suffix(suffix: &str) -> Result<String, IgnoredReason> {
    let suffix = listable_name(suffix)?;
    if suffix.contains('.') { Ok(suffix) } else { Err(IgnoredReason::WildcardTooBroad) }
}

fn listable_name(name: &str) -> Result<String, IgnoredReason> {
    if name.starts_with('[') || ends_in_number(name) || name.parse::<Ipv6Addr>().is_ok() {
        return Err(IgnoredReason::IpAddress);
    }
    if name.contains(['/', ':', '@', '?', '#']) {
        return Err(IgnoredReason::Url);
    }
    // The second reading: a label such as `xn--a` is well-formed but encodes nothing.
    match url::Host::parse(name) {
        Ok(url::Host::Domain(parsed)) if is_host_text(name) && parsed == name => Ok(parsed),
        _ => Err(IgnoredReason::Malformed),
    }
}

/// An entry that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredEntry {
    /// Where it stands in the list, counted from 1.
    pub position: usize,
    /// The entry without the spaces around it.
    pub entry: String,
    /// Why it cannot be used.
    pub reason: IgnoredReason,
}

impl fmt::Display for IgnoredEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} {:?} is ignored: {}", self.position, self.entry, self.reason)
    }
}

/// Why an entry cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredReason {
    /// Nothing stands between two commas.
    Empty,
    /// It names a network protocol.
    NetworkScheme,
    /// It names a scheme that can never be allowed.
    ForbiddenScheme,
    /// It is a URL, or a host with a port, path or userinfo.
    Url,
    /// It is an IP address other than a loopback one, or is read as one by browsers.
    IpAddress,
    /// It is a wildcard over a whole top-level domain.
    WildcardTooBroad,
    /// It is none of the forms of an entry.
    Malformed,
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty; remove the comma",
            Self::NetworkScheme => "a network scheme cannot be allowed; list the hostname, or localhost",
            Self::ForbiddenScheme => "this scheme can never be allowed",
            Self::Url => "only a hostname or a scheme can be listed, without port, path or user",
            Self::IpAddress => "an IP address cannot be allowed, except 127.0.0.1 and [::1]",
            Self::WildcardTooBroad => "a wildcard needs at least two labels, such as .example.com",
            Self::Malformed => "expected a hostname, .suffix, scheme://, localhost or [::1]",
        })
    }
}
