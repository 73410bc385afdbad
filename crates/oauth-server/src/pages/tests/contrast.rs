//! WCAG 2.2 contrast of the stylesheet's colours, in both schemes.

use std::collections::HashMap;

use proptest::prelude::*;

use crate::pages::{Brand, STYLE};

/// Text on its background (1.4.3, level AA).
const TEXT: f64 = 4.5;
/// Borders of controls and the focus ring against what is beside them (1.4.11).
const CONTROL: f64 = 3.0;

const PAIRS: [(&str, &str, f64); 20] = [
    ("text", "page", TEXT),
    ("text", "card", TEXT),
    ("text", "soft", TEXT),
    ("muted", "page", TEXT),
    ("muted", "card", TEXT),
    ("muted", "soft", TEXT),
    ("accent", "page", TEXT),
    ("accent", "card", TEXT),
    ("accent", "soft", TEXT),
    ("accent-strong", "page", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("warn", "warn-soft", TEXT),
    ("error", "error-soft", TEXT),
    ("error", "card", TEXT),
    ("control", "card", CONTROL),
    ("control", "soft", CONTROL),
    ("accent", "warn-soft", CONTROL),
    ("accent", "error-soft", CONTROL),
    ("error", "soft", CONTROL),
];

#[test]
fn colours_contrast_in_light_and_dark() {
    let [light, dark] = schemes(STYLE);
    assert_eq!(light.len(), dark.len(), "every colour has its dark twin");
    assert_eq!(weak(&light), None);
    assert_eq!(weak(&dark), None);
}

proptest! {
    #[test]
    fn any_accent_contrasts_in_light_and_dark(accent in "#[0-9a-f]{6}") {
        let brand = Brand::default().with_accent(&accent).unwrap();
        let (own, rules) = brand.style().split_at(STYLE.len());
        for (mut colours, accented) in schemes(own).into_iter().zip(schemes(rules)) {
            prop_assert_eq!(accented.len(), 4);
            colours.extend(accented);
            prop_assert_eq!(weak(&colours), None);
        }
    }
}

/// The colours in light and in dark.
fn schemes(css: &str) -> [HashMap<&str, String>; 2] {
    let (light, dark) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
    [properties(light), properties(dark.split("\n}\n}").next().unwrap().split("\n  }\n}").next().unwrap())]
}

/// A pair that contrasts too little.
fn weak(colours: &HashMap<&str, String>) -> Option<String> {
    PAIRS.iter().find_map(|(front, back, least)| {
        let ratio = contrast(&colours[front], &colours[back]);
        (ratio < *least).then(|| format!("{front} on {back} is {ratio:.2}, not {least}"))
    })
}

#[test]
fn the_formula_gives_the_known_ratios() {
    for (front, back, ratio) in
        [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ffffff", "#ffffff", 1.0)]
    {
        assert!((contrast(front, back) - ratio).abs() < 0.01, "{front} on {back}");
    }
}

fn properties(css: &str) -> HashMap<&str, String> {
    let lines =
        css.lines().filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": "));
    lines.map(|(name, value)| (name, value.to_owned())).collect()
}

fn contrast(front: &str, back: &str) -> f64 {
    let (front, back) = (luminance(front), luminance(back));
    (front.max(back) + 0.05) / (front.min(back) + 0.05)
}

/// WCAG's relative luminance of `#rrggbb`.
fn luminance(colour: &str) -> f64 {
    let hex = colour.strip_prefix('#').filter(|hex| hex.len() == 6).unwrap();
    let [_, red, green, blue] = u32::from_str_radix(hex, 16).unwrap().to_be_bytes().map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}
