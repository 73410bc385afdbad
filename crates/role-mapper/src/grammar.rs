//! What each text in the mapping may look like, and the words that say so.

use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, GeneralCategoryGroup},
};

/// What [`is_slug`] accepts.
pub(crate) const SLUG: &str = "1 to 63 characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit";
/// What [`is_role_name`] accepts.
pub(crate) const ROLE_NAME: &str = "1 to 64 characters of A-Z, a-z, 0-9 and '_+=.@-'";
/// What a rule's number must be.
pub(crate) const RULE_ID: &str = "a number of 1 or more";
/// What [`is_role_arn`] accepts.
pub(crate) const ROLE_ARN: &str = "arn:<partition>:iam::<12 digits>:role/<path><name> of an existing AWS partition, path and name of A-Z, a-z, 0-9 \
     and '_+=.@-'";
/// What [`is_reference`] accepts.
pub(crate) const REFERENCE: &str =
    "the name or ARN of a session policy: 1 to 256 characters of A-Z, a-z, 0-9 and '_+=.@:/-'";
/// What [`is_identity`] accepts.
pub(crate) const IDENTITY: &str = "1 to 1024 bytes without control characters";
/// What [`is_display`] accepts.
pub(crate) const DISPLAY: &str = "at most 256 characters without control characters";
/// What [`is_tag_key`] accepts.
pub(crate) const TAG_KEY: &str =
    "a tag key of 1 to 128 letters, digits, spaces and '_.:/=+-@', not starting with aws:";
/// What [`is_tag_value`] accepts.
pub(crate) const TAG_VALUE: &str = "a tag value of 1 to 256 letters, digits, spaces and '_.:/=+-@'";

const PARTITIONS: &[&str] =
    &["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"];

/// The most tags that one session may have.
pub(crate) const MAX_TAGS: usize = 50;

pub(crate) fn is_slug(text: &str) -> bool {
    let first = text.bytes().next();
    (1..=63).contains(&text.len())
        && first.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
}

pub(crate) fn is_role_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(is_iam_byte)
}

/// IAM also allows a comma, by which proxies join headers: no part of a decision has one (SEC-45).
fn is_iam_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=.@-".contains(&byte)
}

/// A path is held to the characters of a name: it could have more, none of which is worth a surprise in a log.
pub(crate) fn is_role_arn(text: &str) -> bool {
    let Some((prefix, resource)) = text.split_once(":role/") else { return false };
    let [arn, partition, service, region, account] = *prefix.split(':').collect::<Vec<_>>() else {
        return false;
    };
    let name = resource.rsplit('/').next().unwrap_or_default();
    // What IAM counts as the path is this and the slash before it.
    let path = resource.len() - name.len();
    arn == "arn"
        && PARTITIONS.contains(&partition)
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && is_role_name(name)
        && path < 512
        && resource.split('/').all(|segment| !segment.is_empty() && segment.bytes().all(is_iam_byte))
}

pub(crate) fn is_reference(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| is_iam_byte(byte) || b":/".contains(&byte))
}

pub(crate) fn is_identity(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && !text.chars().any(char::is_control)
}

pub(crate) fn is_display(text: &str) -> bool {
    text.chars().count() <= 256 && !text.chars().any(char::is_control)
}

pub(crate) fn is_tag_key(text: &str) -> bool {
    let reserved = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    (1..=128).contains(&text.chars().count()) && !reserved && text.chars().all(is_tag_char)
}

pub(crate) fn is_tag_value(text: &str) -> bool {
    (1..=256).contains(&text.chars().count()) && text.chars().all(is_tag_char)
}

/// STS: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`. Line and paragraph separators are of `\p{Z}` and are refused here: nothing that
/// breaks a line belongs in a log (SEC-54).
fn is_tag_char(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    GeneralCategoryGroup::Letter.contains(category)
        || GeneralCategoryGroup::Number.contains(category)
        || category == GeneralCategory::SpaceSeparator
}

#[cfg(test)]
mod tests {
    use super::{is_reference, is_role_arn, is_role_name, is_slug, is_tag_key, is_tag_value};

    #[test]
    fn role_arns() {
        let long = |path: usize| format!("arn:aws:iam::111122223333:role/{}/n", "p".repeat(path));
        for right in [
            "arn:aws:iam::111122223333:role/reader",
            "arn:aws-us-gov:iam::000000000000:role/team/a/Reader+x=.@-_",
            &long(510),
        ] {
            assert!(is_role_arn(right), "{right}");
        }
        for wrong in [
            "",
            "reader",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/team/",
            "arn:aws:iam::111122223333:role//reader",
            "arn:aws:iam::111122223333:role/team//reader",
            "arn:aws:iam::111122223333:role/a,b",
            "arn:aws:iam::111122223333:role/a b",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::111122223333:role/é",
            "arn:aws:iam::111122223333:user/reader",
            "arn:aws:iam::11112222333:role/reader",
            "arn:aws:iam::1111222233334:role/reader",
            "arn:aws:iam::11112222333x:role/reader",
            "arn:aws:iam:eu-west-1:111122223333:role/reader",
            "arn:aws:sts::111122223333:role/reader",
            "arn:amazon:iam::111122223333:role/reader",
            "arn:aws-:iam::111122223333:role/reader",
            "ARN:aws:iam::111122223333:role/reader",
            " arn:aws:iam::111122223333:role/reader",
            "arn:aws:iam::111122223333:role/reader\n",
            "x:arn:aws:iam::111122223333:role/reader",
            "arn:aws:iam::111122223333:role/a:role/b",
            &long(511),
        ] {
            assert!(!is_role_arn(wrong), "{wrong}");
        }
    }

    #[test]
    fn names() {
        for (text, slug, role, reference) in [
            ("acme", true, true, true),
            ("acme.example-1_x", true, true, true),
            ("0", true, true, true),
            ("", false, false, false),
            ("Acme", false, true, true),
            ("-acme", false, true, true),
            ("a b", false, false, false),
            ("a/b:c", false, false, true),
            ("a,b", false, false, false),
            ("é", false, false, false),
            (&"x".repeat(63), true, true, true),
            (&"x".repeat(64), false, true, true),
            (&"x".repeat(256), false, false, true),
            (&"x".repeat(257), false, false, false),
        ] {
            assert_eq!(
                (is_slug(text), is_role_name(text), is_reference(text)),
                (slug, role, reference),
                "{text}"
            );
        }
    }

    #[test]
    fn tags() {
        for (text, key, value) in [
            ("tenant", true, true),
            ("a b_.:/=+-@9", true, true),
            ("Größe", true, true),
            ("部署", true, true),
            ("Ⅷ", true, true),
            ("a\u{a0}b", true, true),
            ("", false, false),
            ("aws", true, true),
            ("aws:x", false, true),
            ("AwS:x", false, true),
            ("a\nb", false, false),
            ("a\tb", false, false),
            ("a\u{2028}b", false, false),
            ("a\u{202e}b", false, false),
            ("a\u{301}", false, false),
            ("Ⓐ", false, false),
            ("a,b", false, false),
            ("a\"b", false, false),
            ("a*", false, false),
            ("${aws:x}", false, false),
            (&"é".repeat(128), true, true),
            (&"é".repeat(129), false, true),
            (&"é".repeat(256), false, true),
            (&"é".repeat(257), false, false),
        ] {
            assert_eq!((is_tag_key(text), is_tag_value(text)), (key, value), "{text}");
        }
    }
}
