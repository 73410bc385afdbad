//! The tags of an STS session.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use icu_properties::{CodePointMapData, props::GeneralCategory, props::GeneralCategoryGroup};

const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// The tags of an STS session, within the limits of STS: at most 50; a key of 1 to 128 and a value of 0 to 256
/// characters, each a letter, digit or separator of any script or one of `_.:/=+-@`; no key starting with `aws:`,
/// no two keys that differ in case only.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionTags(BTreeMap<String, String>);

impl SessionTags {
    /// Takes keys and values.
    ///
    /// # Errors
    /// When STS would not take them together.
    pub fn from_pairs<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, InvalidSessionTags>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let mut folded = BTreeSet::new();
        let mut tags = BTreeMap::new();
        for (key, value) in pairs {
            let (key, value) = (key.into(), value.into());
            check_key(&key)?;
            check_text(
                &value,
                MAX_VALUE,
                InvalidSessionTags::ValueLength,
                InvalidSessionTags::ValueCharacter,
            )?;
            if !folded.insert(key.to_lowercase()) {
                return Err(InvalidSessionTags::DuplicateKey);
            }
            if tags.len() == MAX_TAGS {
                return Err(InvalidSessionTags::TooMany);
            }
            tags.insert(key, value);
        }
        Ok(Self(tags))
    }

    /// The value of a key in exactly this spelling.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Keys and values, sorted by key.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many tags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no tags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl TryFrom<BTreeMap<String, String>> for SessionTags {
    type Error = InvalidSessionTags;

    fn try_from(tags: BTreeMap<String, String>) -> Result<Self, InvalidSessionTags> {
        Self::from_pairs(tags)
    }
}

impl fmt::Debug for SessionTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

fn check_key(key: &str) -> Result<(), InvalidSessionTags> {
    if key.is_empty() {
        return Err(InvalidSessionTags::KeyLength);
    }
    check_text(key, MAX_KEY, InvalidSessionTags::KeyLength, InvalidSessionTags::KeyCharacter)?;
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(InvalidSessionTags::ReservedKey);
    }
    Ok(())
}

fn check_text(
    text: &str,
    max: usize,
    length: InvalidSessionTags,
    character: InvalidSessionTags,
) -> Result<(), InvalidSessionTags> {
    if text.chars().count() > max {
        return Err(length);
    }
    if text.chars().all(is_tag_character) { Ok(()) } else { Err(character) }
}

/// The pattern of STS: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
fn is_tag_character(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || " _.:/=+-@".contains(character);
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    [GeneralCategoryGroup::Letter, GeneralCategoryGroup::Separator, GeneralCategoryGroup::Number]
        .iter()
        .any(|group| group.contains(category))
}

/// Why tags cannot be those of an STS session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSessionTags {
    /// More than STS takes.
    #[error("a session has at most {MAX_TAGS} tags")]
    TooMany,
    /// A key is empty or too long.
    #[error("a tag key has 1 to {MAX_KEY} characters")]
    KeyLength,
    /// A key has a character that STS does not take.
    #[error("a tag key has only letters, digits, spaces and _.:/=+-@")]
    KeyCharacter,
    /// A key is in the namespace of AWS.
    #[error("a tag key does not start with aws:")]
    ReservedKey,
    /// A value is too long.
    #[error("a tag value has at most {MAX_VALUE} characters")]
    ValueLength,
    /// A value has a character that STS does not take.
    #[error("a tag value has only letters, digits, spaces and _.:/=+-@")]
    ValueCharacter,
    /// Two keys are the same to STS, which ignores case.
    #[error("no two tag keys are equal when case is ignored")]
    DuplicateKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn keys_and_values_follow_the_pattern_of_sts() {
        use InvalidSessionTags::{
            DuplicateKey, KeyCharacter, KeyLength, ReservedKey, ValueCharacter, ValueLength,
        };
        let text = |length| "\u{e9}".repeat(length);
        let (key, long_key, value, long_value) = (text(128), text(129), text(256), text(257));
        let cases: &[(Pairs<'_>, Result<(), InvalidSessionTags>)] = &[
            (&[], Ok(())),
            (&[("team", "a"), ("Cost Center", "4711/x=y+z@w-v_u.t:s")], Ok(())),
            (&[("a", "")], Ok(())),
            (&[(&key, &value)], Ok(())),
            (&[("\u{5718}\u{968a}", "\u{10400}\u{661}\u{2167}\u{bd}\u{3000}\u{2028}")], Ok(())),
            (&[("aws", "aws:x")], Ok(())),
            (&[("a:aws:", "")], Ok(())),
            (&[("", "x")], Err(KeyLength)),
            (&[(&long_key, "x")], Err(KeyLength)),
            (&[("a", &long_value)], Err(ValueLength)),
            (&[("aws:a", "x")], Err(ReservedKey)),
            (&[("AWS:a", "x")], Err(ReservedKey)),
            (&[("a", "1"), ("A", "1")], Err(DuplicateKey)),
            (&[("\u{e9}", "1"), ("\u{c9}", "1")], Err(DuplicateKey)),
            (&[("a", "1"), ("a", "1")], Err(DuplicateKey)),
            (&[("a*", "x")], Err(KeyCharacter)),
            (&[("a\t", "x")], Err(KeyCharacter)),
            (&[("a", "x,y")], Err(ValueCharacter)),
            (&[("a", "\u{301}")], Err(ValueCharacter)),
            (&[("a", "\u{24d0}")], Err(ValueCharacter)),
            (&[("a", "\u{200b}")], Err(ValueCharacter)),
            (&[("a", "\u{85}")], Err(ValueCharacter)),
        ];
        for (pairs, expected) in cases {
            assert_eq!(SessionTags::from_pairs(pairs.iter().copied()).map(drop), *expected, "{pairs:?}");
        }
    }

    #[test]
    fn fifty_tags_are_the_limit() {
        let tags = |count| SessionTags::from_pairs((0..count).map(|n| (format!("k{n}"), "")));
        assert_eq!(tags(50).unwrap().len(), 50);
        assert_eq!(tags(51), Err(InvalidSessionTags::TooMany));
    }
}
