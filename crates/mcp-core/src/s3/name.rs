//! Bucket names and object addresses, parsed strictly.

use std::{fmt, str::FromStr};

use crate::failure::ToolFailure;

/// The ends of names that are no buckets of the account but aliases of access points, directory buckets, Outposts and
/// table buckets. The SDK sends some of them to other hosts or signs them otherwise; all lead past the bucket's name.
const RESERVED_ENDS: [&str; 7] =
    ["-s3alias", "--ol-s3", "--op-s3", "--x-s3", "--xa-s3", "--table-s3", ".mrap"];

/// A plain bucket name: 3 to 63 lower-case letters, digits, dots and hyphens. ARNs, access points and directory
/// buckets, which the SDK would send elsewhere or sign otherwise, are not names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketName(String);

/// The text is not a [`BucketName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bucket name is 3 to 63 lower-case letters, digits, dots and hyphens, not an ARN or access point")]
pub struct InvalidBucketName;

impl BucketName {
    /// `argument` is the tool argument that the name came in.
    pub(crate) fn parse(argument: &'static str, text: &str) -> Result<Self, ToolFailure> {
        text.parse().map_err(|InvalidBucketName| {
            ToolFailure::argument(
                argument,
                "must name a bucket: 3 to 63 lower-case letters, digits, dots and hyphens; not an ARN or access point",
            )
        })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BucketName {
    type Err = InvalidBucketName;

    fn from_str(text: &str) -> Result<Self, InvalidBucketName> {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let legal =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let bytes = text.as_bytes();
        let is_name = (3..=63).contains(&bytes.len())
            && bytes.iter().copied().all(legal)
            && edge(bytes.first())
            && edge(bytes.last())
            && !text.contains("..")
            && !RESERVED_ENDS.iter().any(|end| text.ends_with(end))
            && text.parse::<std::net::Ipv4Addr>().is_err();
        is_name.then(|| Self(text.to_owned())).ok_or(InvalidBucketName)
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object: `s3://bucket/key?versionId=…`, its key and version percent-encoded as in any URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct S3Uri {
    pub(crate) bucket: BucketName,
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
}

impl S3Uri {
    pub(crate) fn new(bucket: BucketName, key: impl Into<String>) -> Self {
        Self { bucket, key: key.into(), version_id: None }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ToolFailure> {
        let wrong = |problem: &str| ToolFailure::argument("uri", problem);
        let rest = text.strip_prefix("s3://").ok_or_else(|| wrong("must start with s3://"))?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (bucket, key) = path.split_once('/').ok_or_else(|| wrong("must be s3://bucket/key"))?;
        let bucket = BucketName::parse("uri", bucket)?;
        let encoding = || wrong("must be percent-encoded UTF-8: write % as %25, ? as %3F and # as %23");
        if path.contains('#') {
            return Err(encoding());
        }
        let key = decode(key).ok_or_else(encoding)?;
        if key.is_empty() || key.len() > 1024 {
            return Err(wrong("must have a key of 1 to 1024 bytes"));
        }
        let version_id = match query {
            None => None,
            Some(query) => {
                Some(version(query).ok_or_else(|| wrong("may only have ?versionId=… after the key"))?)
            }
        };
        Ok(Self { bucket, key, version_id })
    }
}

fn version(query: &str) -> Option<String> {
    let version = decode(query.strip_prefix("versionId=")?)?;
    let legal = (1..=1024).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_graphic());
    (legal && !version.contains('&')).then_some(version)
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/", self.bucket)?;
        encode(&self.key, f)?;
        if let Some(version) = &self.version_id {
            f.write_str("?versionId=")?;
            encode(version, f)?;
        }
        Ok(())
    }
}

/// Writes everything but unreserved characters, slashes and the harmless rest of a path as `%XX`.
fn encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$'()*,;=:@+".contains(&byte) {
            write!(f, "{}", char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

/// A key or prefix as S3 writes it where `encoding-type=url` was asked: as in a form, with `+` for a space.
pub(crate) fn decode_listed(text: &str) -> Option<String> {
    decode(&text.replace('+', " "))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |bytes: &mut std::str::Bytes<'_>| char::from(bytes.next()?).to_digit(16);
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let value = digit(&mut bytes)? * 16 + digit(&mut bytes)?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_plain_names() {
        for name in ["abc", "acme-data", "a.b.c", "123", &"a".repeat(63)] {
            assert!(BucketName::parse("bucket", name).is_ok(), "{name}");
        }
        for name in [
            "",
            "ab",
            "Acme",
            "acme_data",
            "-acme",
            "acme-",
            "a..b",
            "127.0.0.1",
            "acme--use1-az4--x-s3",
            "acme--use1-az4--xa-s3",
            "acme-o01234567890123456--op-s3",
            "acme-abcdefgh-s3alias",
            "acme-abcdefgh--ol-s3",
            "acme--table-s3",
            "mfzwi23gnjvgw.mrap",
            "evil.com#",
            "evil.com?x",
            "a@evil.com",
            "a:443",
            "arn:aws:s3:us-east-1:111122223333:accesspoint/x",
            "acme/x",
            "acme%2f",
            "acme\n",
            "é-bucket",
            &"a".repeat(64),
        ] {
            assert!(BucketName::parse("bucket", name).is_err(), "{name}");
        }
    }

    #[test]
    fn uris_name_one_object() {
        let parse = |text: &str| S3Uri::parse(text).map(|uri| (uri.key, uri.version_id));
        for (text, key, version) in [
            ("s3://acme/a", "a", None),
            ("s3://acme/a/b c", "a/b c", None),
            ("s3://acme//a", "/a", None),
            ("s3://acme/100%25", "100%", None),
            ("s3://acme/a%3Fb%23c", "a?b#c", None),
            ("s3://acme/a+b", "a+b", None),
            ("s3://acme/../x", "../x", None),
            ("s3://acme/a?versionId=null", "a", Some("null")),
        ] {
            assert_eq!(parse(text), Ok((key.to_owned(), version.map(str::to_owned))), "{text}");
        }
        for text in [
            "",
            "acme/a",
            "S3://acme/a",
            "https://acme/a",
            "s3://acme",
            "s3://acme/",
            "s3:///a",
            "s3://acme/100%",
            "s3://acme/%zz",
            "s3://acme/%+1",
            "s3://acme/%ff",
            "s3://acme/a#b",
            "s3://acme/a?versionId=",
            "s3://acme/a?versionId=x&acl",
            "s3://acme/a?acl",
            "s3://user@acme/a",
            "s3://acme:443/a",
            "s3://arn:aws:s3:::acme/a",
        ] {
            assert!(S3Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn listed_names_are_decoded_as_a_form() {
        for (listed, name) in [
            ("a/b.csv", Some("a/b.csv")),
            ("a+b%2Bc", Some("a b+c")),
            ("%01%0A%EF%BF%BE", Some("\u{1}\n\u{fffe}")),
            ("100%25", Some("100%")),
            ("100%", None),
            ("%FF", None),
        ] {
            assert_eq!(decode_listed(listed).as_deref(), name, "{listed}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(key in "\\PC{1,100}", version in "[A-Za-z0-9._~-]{1,20}") {
            let bucket = BucketName::parse("bucket", "acme").unwrap();
            let uri = S3Uri { bucket, key, version_id: Some(version) };
            prop_assert_eq!(S3Uri::parse(&uri.to_string()), Ok(uri));
        }
    }
}
