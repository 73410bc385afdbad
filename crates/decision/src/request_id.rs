//! The gateway's id of one request.

use std::{fmt, str, str::FromStr};

/// The gateway's id of one request: a UUID in lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; Self::LENGTH]);

impl RequestId {
    /// How many characters an id has.
    pub(crate) const LENGTH: usize = 36;

    /// Makes an id of 16 bytes, which the caller takes from a random source. As in every UUID, version (4) and
    /// variant overwrite six bits.
    #[must_use]
    pub fn from_uuid_bytes(bytes: [u8; 16]) -> Self {
        Self(hyphenated(u128::from_be_bytes(bytes) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It is ASCII by construction.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The digits of `id` in groups of 8, 4, 4, 4 and 12.
fn hyphenated(id: u128) -> [u8; RequestId::LENGTH] {
    let mut text = [b'-'; RequestId::LENGTH];
    let mut shift = 128;
    for (position, byte) in text.iter_mut().enumerate() {
        if !is_hyphen(position) {
            shift -= 4;
            let digit = u32::try_from(id >> shift & 0xf).ok().and_then(|digit| char::from_digit(digit, 16));
            *byte = digit.and_then(|digit| u8::try_from(digit).ok()).unwrap_or(b'0');
        }
    }
    text
}

fn is_hyphen(position: usize) -> bool {
    matches!(position, 8 | 13 | 18 | 23)
}

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(text: &str) -> Result<Self, InvalidRequestId> {
        let bytes: [u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_| InvalidRequestId)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let fits = |(position, byte): (usize, &u8)| {
            if is_hyphen(position) { *byte == b'-' } else { is_digit(*byte) }
        };
        bytes.iter().enumerate().all(fits).then_some(Self(bytes)).ok_or(InvalidRequestId)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.as_str())
    }
}

/// The text is not a [`RequestId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a request id is a UUID in lower case with hyphens")]
pub struct InvalidRequestId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_a_version_4_uuid() {
        let id = RequestId::from_uuid_bytes([
            0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
        ]);
        assert_eq!(id.as_str(), "01234567-89ab-4def-8123-456789abcdef");
        assert_eq!(id.as_str().parse(), Ok(id));
        assert_eq!(RequestId::from_uuid_bytes([0xff; 16]).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn only_the_one_spelling_is_an_id() {
        for text in [
            "",
            "01234567-89ab-4def-8123-456789abcde",
            "01234567-89ab-4def-8123-456789abcdef0",
            "01234567-89AB-4def-8123-456789abcdef",
            "01234567_89ab_4def_8123_456789abcdef",
            "0123456789ab-4def-8123-456789abcdef--",
            "01234567-89ab-4def-8123-456789abcdeg",
            "{01234567-89ab-4def-8123-456789abcd}",
        ] {
            assert_eq!(text.parse::<RequestId>(), Err(InvalidRequestId), "{text}");
        }
    }
}
