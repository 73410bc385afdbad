//! What the bytes of an object are. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to treat an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum As {
    #[default]
    Auto,
    Text,
    Image,
    Binary,
}

/// What an object turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Kind {
    Text,
    Image,
    Binary,
}

/// The image types that MCP clients show, each with how its files start.
const IMAGES: [(&str, &[u8]); 4] = [
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
];

/// The type of the image that these bytes start, whatever their content type claims.
pub(super) fn image_type(bytes: &[u8]) -> Option<&'static str> {
    let (kind, _) = IMAGES.iter().find(|(_, magic)| bytes.starts_with(magic))?;
    let is_webp = bytes.get(8..12) == Some(b"WEBP");
    (*kind != "image/webp" || is_webp).then_some(*kind)
}

/// The kind of an object of which `bytes` are the beginning. `encoded` says that they are compressed.
pub(super) fn kind_of(wanted: As, bytes: &[u8], encoded: bool, cut: bool) -> Kind {
    match wanted {
        As::Text => Kind::Text,
        As::Image | As::Auto if image_type(bytes).is_some() => Kind::Image,
        As::Auto if !encoded && text_of(bytes, cut).is_some() => Kind::Text,
        As::Image | As::Auto | As::Binary => Kind::Binary,
    }
}

/// The bytes as text, if that is what they are. Where the read was `cut`, a character cut in two is left out.
pub(super) fn text_of(bytes: &[u8], cut: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // No `error_len` means that the end came too early, not that a byte is wrong.
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    text.chars().all(is_text).then_some(text)
}

/// The bytes as text by all means: what is not text is replaced.
pub(super) fn forced_text_of(bytes: &[u8]) -> String {
    let replaced = |character| if is_text(character) { character } else { char::REPLACEMENT_CHARACTER };
    String::from_utf8_lossy(bytes).chars().map(replaced).collect()
}

/// Terminals obey control characters, and JSON writes each in six bytes.
fn is_text(character: char) -> bool {
    !character.is_control() || matches!(character, '\t' | '\n' | '\r' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_what_an_object_is() {
        let png = b"\x89PNG\r\n\x1a\nrest".as_slice();
        let webp = b"RIFF\0\0\0\0WEBPVP8 ".as_slice();
        let cases: &[(As, &[u8], bool, bool, Kind)] = &[
            (As::Auto, b"a,b\n1,2\n", false, false, Kind::Text),
            (As::Auto, b"", false, false, Kind::Text),
            (As::Auto, "h\u{e9}llo".as_bytes(), false, false, Kind::Text),
            (As::Auto, b"h\xc3", false, true, Kind::Text),
            (As::Auto, b"h\xc3", false, false, Kind::Binary),
            (As::Auto, b"h\xff", false, true, Kind::Binary),
            (As::Auto, b"a\0b", false, false, Kind::Binary),
            (As::Auto, b"a\tb\r\n\x0c", false, false, Kind::Text),
            (As::Auto, b"\x1b[31mred", false, false, Kind::Binary),
            (As::Auto, "\u{9b}31m".as_bytes(), false, false, Kind::Binary),
            (As::Auto, b"<svg onload='alert(1)'/>", false, false, Kind::Text),
            (As::Image, b"<svg onload='alert(1)'/>", false, false, Kind::Binary),
            (As::Auto, b"looks like text", true, false, Kind::Binary),
            (As::Auto, png, false, false, Kind::Image),
            (As::Auto, webp, false, false, Kind::Image),
            (As::Auto, b"RIFF\0\0\0\0WAVEfmt ", false, false, Kind::Binary),
            (As::Image, b"<script>", false, false, Kind::Binary),
            (As::Text, b"h\xff", false, false, Kind::Text),
            (As::Binary, png, false, false, Kind::Binary),
        ];
        for (wanted, bytes, encoded, cut, expected) in cases {
            assert_eq!(kind_of(*wanted, bytes, *encoded, *cut), *expected, "{wanted:?} {bytes:?}");
        }
        assert_eq!(text_of(b"h\xc3", true), Some("h"));
    }

    #[test]
    fn text_by_all_means_has_no_control_characters() {
        assert_eq!(forced_text_of(b"a\xff\0\x1b[31m\t\n"), "a\u{fffd}\u{fffd}\u{fffd}[31m\t\n");
    }
}
