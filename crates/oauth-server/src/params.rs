//! Strict reading of query strings and forms.
//!
//! A parameter that occurs twice is refused (RFC 6749 §3.1 and §3.2), one without a value counts as absent, an unknown
//! one is ignored. Broken percent-encoding and text that is not UTF-8 are refused instead of being repaired, and so is NUL,
//! which no value has a use for and PostgreSQL cannot keep.

use std::collections::BTreeMap;

/// How many parameters a request may carry.
const MAX_PARAMETERS: usize = 64;

/// Why a query string or form was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ParamsError {
    /// A `%` without two hexadecimal digits, bytes that are not UTF-8, or a NUL.
    #[error("the parameters are not valid percent-encoded UTF-8 without NUL")]
    Encoding,
    /// More than 64 parameters.
    #[error("more than {MAX_PARAMETERS} parameters")]
    TooMany,
}

/// The parameters of one request. They may hold secrets: no `Debug`.
pub(crate) struct Params {
    values: BTreeMap<String, Vec<String>>,
}

impl Params {
    /// Parses `application/x-www-form-urlencoded` text.
    pub(crate) fn parse(text: &str) -> Result<Self, ParamsError> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (count, pair) in text.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if count >= MAX_PARAMETERS {
                return Err(ParamsError::TooMany);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            values.entry(decode(name)?).or_default().push(decode(value)?);
        }
        Ok(Self { values })
    }

    /// The value of a parameter that occurs exactly once and is not empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        match self.values.get(name).map(Vec::as_slice) {
            Some([value]) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// The first parameter that occurs more than once, if there is one.
    pub(crate) fn duplicated(&self) -> Option<&str> {
        self.values.iter().find(|(_, values)| values.len() > 1).map(|(name, _)| name.as_str())
    }

    /// Whether this parameter occurs more than once.
    pub(crate) fn is_duplicated(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|values| values.len() > 1)
    }
}

/// Undoes `+` and `%XX`. What comes out has no NUL.
pub(crate) fn decode(text: &str) -> Result<String, ParamsError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let high = bytes.next().and_then(hex_digit).ok_or(ParamsError::Encoding)?;
                let low = bytes.next().and_then(hex_digit).ok_or(ParamsError::Encoding)?;
                decoded.push(high << 4 | low);
            }
            other => decoded.push(other),
        }
    }
    if decoded.contains(&0) {
        return Err(ParamsError::Encoding);
    }
    String::from_utf8(decoded).map_err(|_| ParamsError::Encoding)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{Params, ParamsError, decode};
    use proptest::prelude::*;

    #[test]
    fn once_with_a_value_is_present() {
        let params = Params::parse("a=1&b=&c&d=x%20y+z&e=1&e=2&=q&f=%C3%A9&g=a=b").unwrap();
        let cases = [
            ("a", Some("1")),
            ("b", None),
            ("c", None),
            ("d", Some("x y z")),
            ("e", None),
            ("f", Some("é")),
            ("g", Some("a=b")),
            ("missing", None),
        ];
        for (name, value) in cases {
            assert_eq!(params.value(name), value, "{name}");
        }
        assert_eq!(params.duplicated(), Some("e"));
        assert!(params.is_duplicated("e") && !params.is_duplicated("a"));
    }

    #[test]
    fn a_duplicate_hides_behind_no_encoding_and_no_empty_value() {
        for text in ["state=1&st%61te=2", "state=&state=1", "state&state"] {
            assert_eq!(Params::parse(text).unwrap().duplicated(), Some("state"), "{text}");
        }
    }

    #[test]
    fn broken_encodings_are_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "%=1", "a=%+1", "a=%00", "%00=1", "a=\0"] {
            assert_eq!(Params::parse(text).err(), Some(ParamsError::Encoding), "{text}");
        }
        assert_eq!(Params::parse(&"a=1&".repeat(65)).err(), Some(ParamsError::TooMany));
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(text in "[ab=&%+0-9f]{0,24}|.{0,24}") {
            if let Ok(params) = Params::parse(&text) {
                for name in ["a", "b", ""] {
                    prop_assert!(!(params.value(name).is_some() && params.is_duplicated(name)));
                    prop_assert!(params.value(name) != Some(""));
                }
            }
        }

        #[test]
        fn what_another_library_encodes_is_read_back(text in ".{0,64}") {
            let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let expected = if text.contains('\0') { Err(ParamsError::Encoding) } else { Ok(text) };
            prop_assert_eq!(decode(&encoded), expected);
        }
    }
}
