//! The colours that follow from an operator's accent colour.
//!
//! Whatever colour is given, texts and controls keep the contrast of WCAG 2.2, level AA, in both schemes: the colour is
//! darkened or lightened until they do.

use std::fmt::Write as _;

/// Text on its background (WCAG 2.2, 1.4.3), and a little for rounding.
const TEXT: f64 = 4.55;

/// How much of the accent is in what is softly coloured.
const SOFT: f64 = 0.08;

/// Brightness of every background of a scheme, and how far the accent may have to go.
struct Scheme {
    page: Colour,
    card: Colour,
    /// Towards what the accent moves until it can be read.
    towards: Colour,
    /// What is written on the accent.
    on_accent: Colour,
}

const LIGHT: Scheme = Scheme {
    page: Colour(0xf3, 0xf5, 0xf8),
    card: Colour(0xff, 0xff, 0xff),
    towards: Colour(0, 0, 0),
    on_accent: Colour(0xff, 0xff, 0xff),
};

const DARK: Scheme = Scheme {
    page: Colour(0x0f, 0x14, 0x1c),
    card: Colour(0x18, 0x20, 0x2b),
    towards: Colour(0xff, 0xff, 0xff),
    on_accent: Colour(0x0c, 0x1a, 0x30),
};

/// A colour of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour(u8, u8, u8);

impl Colour {
    /// Reads `#rrggbb`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6)?;
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
        Some(Self(red, green, blue))
    }

    /// This much of the other colour in this one.
    fn mix(self, other: Self, share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two bytes lies a byte"
        )]
        let between =
            |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8;
        Self(between(self.0, other.0), between(self.1, other.1), between(self.2, other.2))
    }

    /// WCAG's relative luminance.
    fn luminance(self) -> f64 {
        let channel = |byte: u8| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(self.0) + 0.7152 * channel(self.1) + 0.0722 * channel(self.2)
    }

    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }
}

/// The rules that replace the stylesheet's own accent.
pub(super) fn rules(accent: Colour) -> String {
    let mut rules = String::from("\n:root {\n");
    LIGHT.write(accent, &mut rules);
    rules.push_str("}\n@media (prefers-color-scheme: dark) {\n:root {\n");
    DARK.write(accent, &mut rules);
    rules.push_str("}\n}\n");
    rules
}

impl Scheme {
    fn write(&self, accent: Colour, rules: &mut String) {
        let accent = self.readable(accent);
        let colours = [
            ("accent", accent),
            ("accent-strong", accent.mix(self.towards, 0.2)),
            ("on-accent", self.on_accent),
            ("soft", self.soft(accent)),
        ];
        for (name, Colour(red, green, blue)) in colours {
            // Writing into a string does not fail.
            let _ = writeln!(rules, "  --{name}: #{red:02x}{green:02x}{blue:02x};");
        }
    }

    fn soft(&self, accent: Colour) -> Colour {
        self.card.mix(accent, SOFT)
    }

    /// The nearest colour that can be read on every background, and be written on.
    fn readable(&self, accent: Colour) -> Colour {
        let reads = |colour: Colour| {
            [self.page, self.card, self.soft(colour), self.on_accent]
                .iter()
                .all(|background| colour.contrast(*background) >= TEXT)
        };
        let steps = (0..=100_u8).map(|step| accent.mix(self.towards, f64::from(step) / 100.0));
        let mut steps = steps.filter(|colour| reads(*colour));
        steps.next().unwrap_or(self.towards)
    }
}

#[cfg(test)]
mod tests {
    use super::{Colour, rules};

    #[test]
    fn a_colour_is_six_hexadecimal_digits() {
        for (text, colour) in [
            ("#1f5fbf", Some(Colour(0x1f, 0x5f, 0xbf))),
            ("#FFFFFF", Some(Colour(255, 255, 255))),
            ("1f5fbf", None),
            ("#fff", None),
            ("#1f5fbff", None),
            ("#+f5fbf", None),
            ("#é1234", None),
            ("red", None),
            ("#000;}x", None),
            ("", None),
        ] {
            assert_eq!(Colour::parse(text), colour, "{text}");
        }
    }

    #[test]
    fn a_readable_colour_stays_as_it_is() {
        let rules = rules(Colour(0x1f, 0x5f, 0xbf));
        assert!(rules.contains("  --accent: #1f5fbf;"), "{rules}");
        assert!(rules.contains("  --on-accent: #ffffff;"), "{rules}");
    }
}
