//! Who acts, in the alphabet of STS.

use std::{fmt, fmt::Write as _, str::FromStr};

use aws_lc_rs::digest::{SHA256, digest};

const MIN: usize = 2;
const MAX: usize = 64;
/// Marks a hashed subject. No other result starts with it.
const HASHED: &str = "h.";
/// Stands between prefix and subject. No escape looks like it, because `.` is no hexadecimal digit.
const SEPARATOR: &str = "=.";

/// The `SourceIdentity` of an STS session: 2 to 64 characters of `[A-Za-z0-9_=.@+-]`.
///
/// STS also takes a comma. It is refused here: a comma is how proxies join two headers into one, so a value of the
/// contract never has one (SEC-45).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceIdentity(String);

impl SourceIdentity {
    /// Writes a subject in the alphabet of STS, so that no two subjects give the same text.
    ///
    /// Letters, digits and `_.@+-` stay; every other byte of the UTF-8 text becomes `=XX` in upper-case
    /// hexadecimal. A `prefix`, which tells the subjects of several issuers apart, is written the same way and
    /// followed by `=.`. A result that is shorter than 2 or longer than 64 characters, or that starts with `h.`,
    /// becomes `h.` and the base32 text (RFC 4648 section 6, without padding) of SHA-256 over issuer, NUL and
    /// subject.
    ///
    /// The result is injective in (issuer, subject) when each issuer has its own prefix, at most one of them empty.
    ///
    /// ```
    /// use decision::SourceIdentity;
    ///
    /// let issuer = "https://login.example.com";
    /// assert_eq!(SourceIdentity::encode("", issuer, "ada@example.com").as_str(), "ada@example.com");
    /// assert_eq!(SourceIdentity::encode("", issuer, "auth0|ada").as_str(), "auth0=7Cada");
    /// assert_eq!(SourceIdentity::encode("okta", issuer, "ada").as_str(), "okta=.ada");
    /// ```
    #[must_use]
    pub fn encode(prefix: &str, issuer: &str, subject: &str) -> Self {
        let mut text = String::with_capacity(MAX);
        push_escaped(&mut text, prefix);
        if !prefix.is_empty() {
            text.push_str(SEPARATOR);
        }
        push_escaped(&mut text, subject);
        if (MIN..=MAX).contains(&text.len()) && !text.starts_with(HASHED) {
            return Self(text);
        }
        let mut hashed = String::from(HASHED);
        push_base32(
            &mut hashed,
            digest(&SHA256, &[issuer.as_bytes(), b"\0", subject.as_bytes()].concat()).as_ref(),
        );
        Self(hashed)
    }

    /// The text that goes to STS.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn push_escaped(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if is_legal(byte) && byte != b'=' {
            out.push(char::from(byte));
        } else {
            // Writing into a `String` cannot fail.
            let _ = write!(out, "={byte:02X}");
        }
    }
}

fn push_base32(out: &mut String, bytes: &[u8]) {
    const ALPHABET: [char; 32] = [
        'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T',
        'U', 'V', 'W', 'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7',
    ];
    for block in bytes.chunks(5) {
        let bits = block.iter().chain(&[0; 5]).take(5).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        // 8 bits a byte, 5 bits a character.
        for position in 0..(block.len() * 8).div_ceil(5) {
            let index = bits >> (35 - 5 * position) & 0x1f;
            out.extend(usize::try_from(index).ok().and_then(|index| ALPHABET.get(index)));
        }
    }
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_=.@+-".contains(&byte)
}

impl FromStr for SourceIdentity {
    type Err = InvalidSourceIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidSourceIdentity> {
        if (MIN..=MAX).contains(&text.len()) && text.bytes().all(is_legal) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidSourceIdentity)
    }
}

impl fmt::Display for SourceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceIdentity({})", self.0)
    }
}

/// The text is not a [`SourceIdentity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a source identity is {MIN} to {MAX} letters, digits and _=.@+-")]
pub struct InvalidSourceIdentity;
