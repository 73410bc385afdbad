//! Text that is safe in a log: one line, no terminal control, no reordering, bounded.

use std::fmt::Write as _;

/// The longest text written for one member, in bytes; what is longer is cut and marked with `…`.
pub const MAX_TEXT: usize = 2048;

/// Appends `text` as a JSON string, ASCII only: every character outside printable ASCII is escaped (SEC-54).
pub(crate) fn push_json_text(line: &mut String, text: &str) {
    line.push('"');
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    if text.len() <= MAX_TEXT && text.bytes().all(is_plain) {
        line.push_str(text);
        line.push('"');
        return;
    }
    let mut written = 0;
    for character in text.chars() {
        written += character.len_utf8();
        if written > MAX_TEXT {
            line.push_str("\\u2026");
            break;
        }
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            ' '..='~' => line.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing into a `String` cannot fail.
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::{MAX_TEXT, push_json_text};

    fn rendered(text: &str) -> String {
        let mut line = String::new();
        push_json_text(&mut line, text);
        line
    }

    #[test]
    fn hostile_text_stays_one_harmless_json_string() {
        let cases =
            ["a\r\nb", "\u{1b}[31mred", "\u{2028}", "\u{202e}evil", "\"}{\"", "back\\slash", "é😀", "\0"];
        for text in cases {
            let line = rendered(text);
            assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }

    #[test]
    fn a_megabyte_is_cut() {
        let line = rendered(&"x".repeat(1 << 20));
        assert!(line.len() < MAX_TEXT + 16);
        assert!(line.ends_with("\\u2026\""));
    }
}
