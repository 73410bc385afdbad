//! What each text in the mapping may look like, and the words that say so.

/// What [`is_slug`] accepts.
pub(crate) const SLUG: &str = "1 to 63 characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit";
/// What [`is_role_name`] accepts.
pub(crate) const ROLE_NAME: &str = "1 to 64 characters of A-Z, a-z, 0-9 and '_+=,.@-'";
/// What a rule's number must be.
pub(crate) const RULE_ID: &str = "a number of 1 or more";
/// What [`is_role_arn`] accepts.
pub(crate) const ROLE_ARN: &str =
    "arn:<aws partition>:iam::<12 digits>:role/<path><name>, path and name of A-Z, a-z, 0-9 and '_+=,.@-'";
/// What [`is_reference`] accepts.
pub(crate) const REFERENCE: &str =
    "the name or ARN of a session policy: 1 to 256 characters of A-Z, a-z, 0-9 and '_+=,.@:/-'";
/// What [`is_identity`] accepts.
pub(crate) const IDENTITY: &str = "1 to 1024 bytes without control characters";
/// What [`is_display`] accepts.
pub(crate) const DISPLAY: &str = "at most 256 characters without control characters";
/// What [`is_tag_key`] accepts.
pub(crate) const TAG_KEY: &str =
    "a tag key of 1 to 128 letters, digits, spaces and '_.:/=+-@', not starting with aws:";
/// What [`is_tag_value`] accepts.
pub(crate) const TAG_VALUE: &str = "a tag value of 1 to 256 letters, digits, spaces and '_.:/=+-@'";

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

fn is_iam_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

/// Role names and paths are held to the characters of IAM names: a path could have more, none of which is worth a
/// surprise in a header or a log.
pub(crate) fn is_role_arn(text: &str) -> bool {
    let Some((prefix, role)) = text.split_once(":role/") else { return false };
    let mut parts = prefix.split(':');
    let prefix_is_right = parts.next() == Some("arn")
        && parts.next().is_some_and(is_partition)
        && parts.next() == Some("iam")
        && parts.next() == Some("")
        && parts
            .next()
            .is_some_and(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
        && parts.next().is_none();
    let name = role.rsplit('/').next().unwrap_or_default();
    prefix_is_right
        && is_role_name(name)
        && role.len() <= 512 + 64
        && role.split('/').all(|segment| !segment.is_empty() && segment.bytes().all(is_iam_byte))
}

fn is_partition(text: &str) -> bool {
    text == "aws"
        || text.strip_prefix("aws-").is_some_and(|rest| {
            (1..=20).contains(&rest.len())
                && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        })
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

/// STS: letters, numbers, separators and `_.:/=+-@`. Line and paragraph separators count as separators there and are
/// refused here: nothing that breaks a line belongs in a header or a log.
fn is_tag_char(c: char) -> bool {
    const SEPARATORS: &[char] = &[' ', '\u{a0}', '\u{1680}', '\u{202f}', '\u{205f}', '\u{3000}'];
    c.is_alphanumeric()
        || "_.:/=+-@".contains(c)
        || SEPARATORS.contains(&c)
        || ('\u{2000}'..='\u{200a}').contains(&c)
}
