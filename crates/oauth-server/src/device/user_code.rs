//! Codes that people type (RFC 8628 §6.1).

use std::fmt;

use crate::random::{Digest, Randomness, RandomnessUnavailable};
use crate::secret::ServerSecret;

/// Consonants only: no code spells a word, and no letter passes for a digit.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// The largest multiple of the alphabet's size that a byte can be below: every letter is equally likely.
const UNBIASED: u8 = 240;

/// A code that a person reads on one device and types on another: 8 of 20 letters, about 34.6 bits.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct UserCode(String);

impl UserCode {
    /// A new one.
    pub(super) fn random(source: &dyn Randomness) -> Result<Self, RandomnessUnavailable> {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            let mut bytes = [0; 16];
            source.fill(&mut bytes)?;
            let letters = bytes.iter().filter(|byte| **byte < UNBIASED);
            let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
            code.extend(letters.map(|letter| char::from(*letter)).take(LENGTH - code.len()));
        }
        Ok(Self(code))
    }

    /// What a person typed: in any case, with any spaces or punctuation between the letters (RFC 8628 §6.1).
    pub(super) fn typed(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let letters =
            text.chars().filter(|character| !character.is_whitespace() && !is_separator(*character));
        let code: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
        let known = |letter: u8| ALPHABET.contains(&letter);
        (code.len() == LENGTH && code.bytes().all(known)).then_some(Self(code))
    }

    /// What the store knows it by. It is short, so a plain digest could be searched: this one needs the server's secret.
    pub(super) fn digest(&self, secret: &ServerSecret) -> Digest {
        secret.derive("user code", &[self.0.as_bytes()])
    }
}

fn is_separator(character: char) -> bool {
    matches!(character, '-' | '_' | '.' | '\u{2010}'..='\u{2015}')
}

/// In two groups.
impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

#[cfg(test)]
mod tests {
    use super::UserCode;
    use crate::random::SystemRandomness;

    #[test]
    fn what_is_shown_can_be_typed_in_any_way() {
        let code = UserCode::random(&SystemRandomness).unwrap();
        let shown = code.to_string();
        assert_eq!(shown.len(), 9);
        let ways = [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', ""),
            format!(" {} ", shown.replace('-', " ")),
        ];
        for typed in ways {
            assert!(UserCode::typed(&typed).unwrap() == code, "{typed}");
        }
    }

    #[test]
    fn what_no_code_can_be_is_none() {
        for text in
            ["", "BCDF", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF-GHJ1", "BCDF-GHJÉ", &"B-".repeat(40)]
        {
            assert!(UserCode::typed(text).is_none(), "{text}");
        }
    }

    #[test]
    fn codes_differ_and_use_the_whole_alphabet() {
        let codes: Vec<String> =
            (0..200).map(|_| UserCode::random(&SystemRandomness).unwrap().to_string()).collect();
        let distinct: std::collections::BTreeSet<&String> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());
        let letters: std::collections::BTreeSet<char> = codes.iter().flat_map(|code| code.chars()).collect();
        assert_eq!(letters.len(), 21, "twenty letters and the hyphen");
    }
}
