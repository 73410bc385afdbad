//! Text that cannot break out of its line or drive a terminal.

use std::fmt::{self, Write as _};

/// Whether `character` could end a line, control a terminal, hide or reorder text.
pub(crate) fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Passes text on with every hostile character as `\u{…}`.
pub(crate) struct Printable<W>(pub(crate) W);

impl<W: fmt::Write> fmt::Write for Printable<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if is_hostile(character) {
                write!(self.0, "{}", character.escape_unicode())?;
            } else {
                self.0.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// A line of JSON with every hostile character as `\uXXXX`; its final line feed stays.
///
/// `line` is valid JSON, where such characters can only stand inside strings, so the escaped line has the same meaning.
pub(crate) fn json_line(line: &str) -> String {
    let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
    let mut escaped = String::with_capacity(line.len());
    for character in body.chars() {
        if is_hostile(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing into a `String` cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped.push_str(end);
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Printable, json_line};
    use std::fmt::Write as _;

    const HOSTILE: &str =
        "a\r\nb\t\u{1b}[31m\u{9b}2J\u{7f}\u{0}\u{2028}\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}";

    #[test]
    fn hostile_text_becomes_visible_text() {
        let mut written = String::new();
        Printable(&mut written).write_str(HOSTILE).unwrap();
        assert!(written.is_ascii() && !written.contains(char::is_control), "{written}");
        assert!(written.starts_with(r"a\u{d}\u{a}b\u{9}\u{1b}[31m\u{9b}2J"), "{written}");
    }

    #[test]
    fn ordinary_text_of_any_language_is_left_alone() {
        let mut written = String::new();
        Printable(&mut written).write_str("Zoë 日本語 😀").unwrap();
        assert_eq!(written, "Zoë 日本語 😀");
    }

    #[test]
    fn an_escaped_json_line_means_the_same() {
        let line = format!("{}\n", serde_json::json!({ "member": HOSTILE }));
        let escaped = json_line(&line);
        assert!(escaped.ends_with("}\n"));
        assert!(!escaped.trim_end().contains(super::is_hostile), "{escaped}");
        let read: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read["member"], HOSTILE);
    }
}
