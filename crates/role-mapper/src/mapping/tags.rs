//! What session tags cost.

/// The most bytes that the tags of one session may take, written as one ASCII JSON object.
///
/// STS packs policies and tags into a form whose size it does not state, and the decision travels in a header; this
/// bound keeps clear of both. When a role is written, a tag from a claim counts with 64 characters.
pub const TAG_BUDGET: usize = 4096;

/// What a claim's value counts for before it is known.
pub(super) const EXPECTED_CLAIM_SIZE: usize = 64;

/// The quotes, the colon and the comma of one member.
const PUNCTUATION: usize = 6;

/// The size of one member of the object, of texts that are legal in tags.
pub(crate) fn escaped_size(key: &str, value: &str) -> usize {
    text_size(key) + text_size(value) + PUNCTUATION
}

pub(super) fn expected_size(key: &str) -> usize {
    text_size(key) + EXPECTED_CLAIM_SIZE + PUNCTUATION
}

/// Beyond ASCII every UTF-16 unit is written as `\uXXXX`.
fn text_size(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 6 * c.len_utf16() }).sum()
}
