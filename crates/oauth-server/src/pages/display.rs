//! Text that a stranger chose, made safe to read.
//!
//! Escaping keeps markup out; this module keeps out what escaping lets through: characters that are invisible,
//! that reorder or overprint their neighbours, or that imitate other letters (SEC-12).

use url::Host;

/// More marks than this on one letter are decoration that climbs over other lines.
const MAX_MARKS: usize = 2;
/// The longest host name (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 253;

/// `text` without control, bidirectional, invisible and unassigned characters, with single spaces, cut to
/// `max_chars` characters. Empty when nothing readable is left.
pub(crate) fn display_text(text: &str, max_chars: usize) -> String {
    let mut shown = String::new();
    let mut length = 0;
    let mut marks = 0;
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if !is_visible(c) || (c == ' ' && (shown.is_empty() || shown.ends_with(' '))) {
            continue;
        }
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MAX_MARKS || (marks > 0 && shown.is_empty()) {
            continue;
        }
        if length == max_chars {
            shown.truncate(shown.trim_end().len());
            shown.push('…');
            return shown;
        }
        shown.push(c);
        length += 1;
    }
    shown.truncate(shown.trim_end().len());
    shown
}

/// A host as it is on the wire: lower case, internationalised labels in their `xn--` form.
pub(crate) fn display_host(host: &str) -> String {
    match Host::parse(host) {
        Ok(host) if host.to_string().len() <= MAX_HOST => host.to_string(),
        _ => host.escape_default().take(MAX_HOST).collect(),
    }
}

/// A URI scheme: lower case, and nothing that RFC 3986 section 3.1 does not allow.
pub(crate) fn display_scheme(scheme: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.chars().filter(allowed).take(64).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether `text` has letters that can pass for Latin ones.
pub(crate) fn has_lookalikes(text: &str) -> bool {
    text.chars().any(|c| {
        matches!(c,
            '\u{0131}' | '\u{0138}' | '\u{017f}' // dotless i, kra, long s
            | '\u{0180}'..='\u{02ff}' // Latin Extended-B, phonetic and modifier letters
            | '\u{0370}'..='\u{058f}' // Greek, Cyrillic, Armenian
            | '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' // Cherokee
            | '\u{1c80}'..='\u{1c8f}' | '\u{2de0}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}' // more Cyrillic
            | '\u{1400}'..='\u{167f}' | '\u{18b0}'..='\u{18ff}' // Canadian syllabics
            | '\u{1680}'..='\u{16ff}' // Ogham, Runic
            | '\u{1d00}'..='\u{1dbf}' // phonetic extensions
            | '\u{1f00}'..='\u{1fff}' // Greek Extended
            | '\u{2070}'..='\u{209f}' // superscripts and subscripts
            | '\u{2100}'..='\u{218f}' // letter-like symbols, Roman numerals
            | '\u{2460}'..='\u{24ff}' // circled letters
            | '\u{2c60}'..='\u{2cff}' // Latin Extended-C, Coptic
            | '\u{2d30}'..='\u{2d7f}' // Tifinagh
            | '\u{a4d0}'..='\u{a63f}' | '\u{a6a0}'..='\u{a6ff}' // Lisu, Vai, Bamum
            | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}' // Latin Extended-D and -E
            | '\u{ff00}'..='\u{ff5e}' // full-width forms
            | '\u{10280}'..='\u{105ff}' | '\u{10800}'..='\u{10aff}' // ancient alphabets, Deseret, Osmanya
            | '\u{118a0}'..='\u{118ff}' | '\u{16f00}'..='\u{16f9f}' // Warang Citi, Miao
            | '\u{1d400}'..='\u{1d7ff}' // mathematical letters
            | '\u{1f100}'..='\u{1f1ff}' // enclosed letters
        )
    })
}

/// Whether `c` is drawn. The standard library's debug form escapes exactly the control, format, private,
/// unassigned and separator characters; the rest here are letters and symbols that are blank.
fn is_visible(c: char) -> bool {
    let blank = matches!(c,
        '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}');
    !blank && (is_mark(c) || matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1)
}

/// Whether `c` is drawn over the character before it. Inside a string the debug form leaves such marks alone,
/// for a single character it escapes them.
fn is_mark(c: char) -> bool {
    let mut after_letter = String::from("a");
    after_letter.push(c);
    !matches!(c, '"' | '\'' | '\\') && c.escape_debug().len() > 1 && after_letter.escape_debug().count() == 2
}

/// The first letter or digit, for a tile that stands for the whole.
pub(crate) fn initial(text: &str) -> String {
    text.chars()
        .find(|c| c.is_alphanumeric())
        .map_or_else(|| "?".to_owned(), |c| c.to_uppercase().take(1).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_shown_without_what_misleads() {
        for (given, shown) in [
            ("Claude Code", "Claude Code"),
            ("  spaced\t\r\n out \u{a0}", "spaced out"),
            ("\u{202e}edoC edualC", "edoC edualC"),
            ("a\u{2066}b\u{2069}c\u{200f}d\u{061c}e", "abcde"),
            ("ze\u{200b}\u{200c}ro\u{200d}wi\u{2060}dth\u{feff}", "zerowidth"),
            ("soft\u{ad}hyphen", "softhyphen"),
            ("line\u{2028}and\u{2029}paragraph", "line and paragraph"),
            ("bell\u{7} esc\u{1b}[31m nul\0", "bell esc[31m nul"),
            ("tags\u{e0041}\u{e007f}", "tags"),
            ("private\u{e000}use\u{10ffff}", "privateuse"),
            ("hangul\u{3164}\u{115f}\u{ffa0}fillers\u{2800}", "hangulfillers"),
            ("z\u{300}\u{301}\u{302}\u{303}a\u{316}lgo", "z\u{300}\u{301}a\u{316}lgo"),
            ("\u{301}first", "first"),
            ("café cafe\u{301}", "café cafe\u{301}"),
            ("日本語 עברית ไทย हिन्दी", "日本語 עברית ไทย हिन्दी"),
            ("Robot 🤖", "Robot 🤖"),
            ("quote\" back\\slash 'single'", "quote\" back\\slash 'single'"),
            ("\u{200b}\u{3164} \n", ""),
        ] {
            assert_eq!(display_text(given, 80), shown, "{given:?}");
        }
    }

    #[test]
    fn text_is_cut_to_its_length() {
        assert_eq!(display_text("abcdef", 6), "abcdef");
        assert_eq!(display_text("abcdefg", 6), "abcdef…");
        assert_eq!(display_text("abc   defg", 4), "abc…");
        assert_eq!(display_text(&"x".repeat(1_000_000), 60).chars().count(), 61);
    }

    proptest! {
        #[test]
        fn any_text_comes_out_bounded_visible_and_stable(text in ".*", max in 1_usize..80) {
            let shown = display_text(&text, max);
            prop_assert!(shown.chars().count() <= max + 1);
            prop_assert!(shown.chars().all(|c| is_visible(c) && !c.is_control()));
            prop_assert!(!shown.contains("  ") && shown.trim() == shown);
            prop_assert_eq!(display_text(&shown, max), shown);
        }

        #[test]
        fn any_host_comes_out_as_bounded_ascii(host in ".*") {
            let shown = display_host(&host);
            prop_assert!(shown.is_ascii() && shown.len() <= MAX_HOST);
            prop_assert!(!shown.contains(|c: char| c.is_control()));
        }
    }

    #[test]
    fn hosts_are_shown_as_on_the_wire() {
        for (given, shown) in [
            ("claude.ai", "claude.ai"),
            ("CLAUDE.ai", "claude.ai"),
            ("cl\u{430}ude.ai", "xn--clude-5ve.ai"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("a b\u{202e}", "a b\\u{202e}"),
        ] {
            assert_eq!(display_host(given), shown, "{given:?}");
        }
        assert!(display_host(&"a.".repeat(4000)).len() <= MAX_HOST);
    }

    #[test]
    fn schemes_keep_only_what_a_scheme_may_have() {
        assert_eq!(display_scheme("Cursor"), "cursor");
        assert_eq!(display_scheme("com.example+app-1<script>"), "com.example+app-1script");
    }

    #[test]
    fn letters_that_imitate_latin_ones_are_noticed() {
        for name in [
            "Cl\u{430}ude",
            "Ϲlaude",
            "Ｃlaude",
            "𝐂laude",
            "Ⓒlaude",
            "Claudе",
            "ᏟᏞ",
            "ƈlaude",
            "G\u{131}thub",
            "\u{17f}lack",
            "ᑕlaude",
            "ᛕiro",
            "ⵏotion",
            "𐐬penai",
            "𑢢",
        ] {
            assert!(has_lookalikes(name), "{name:?}");
        }
        for name in ["Claude", "Café Łódź", "日本語クライアント", "עברית", "Robot 🤖", "naïve ß", "50 €"]
        {
            assert!(!has_lookalikes(name), "{name:?}");
        }
    }

    #[test]
    fn the_initial_is_the_first_letter() {
        for (given, shown) in [("claude", "C"), ("  -x", "X"), ("", "?"), ("日本", "日"), ("ßeta", "S")] {
            assert_eq!(initial(given), shown, "{given:?}");
        }
    }
}
