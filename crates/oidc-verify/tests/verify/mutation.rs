//! No change of a valid token verifies.

use std::sync::LazyLock;

use aws_lc_rs::signature;
use oidc_verify::{Algorithm, TokenVerifier};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::signer::{Signer, verify};

/// For each kind of key, a verifier and two of its tokens.
static VALID: LazyLock<Vec<(TokenVerifier, String, String)>> = LazyLock::new(|| {
    let signers = [
        Signer::es256("1"),
        Signer::eddsa("1"),
        Signer::rsa("1", Algorithm::Rs256, &signature::RSA_PKCS1_SHA256),
        Signer::rsa("1", Algorithm::Ps256, &signature::RSA_PSS_SHA256),
    ];
    let other = |signer: &Signer| {
        let mut claims = crate::signer::claims();
        claims["sub"] = serde_json::json!("bob");
        signer.sign_token(&signer.header(), &claims)
    };
    signers.iter().map(|signer| (signer.verifier(), signer.token(), other(signer))).collect()
});

#[derive(Debug, Clone)]
enum Mutation {
    Replace(Index, char),
    Insert(Index, char),
    Delete(Index),
    Truncate(Index),
    Exchange(Index, Index),
    Append(String),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let character = prop_oneof![
        proptest::sample::select(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.".chars().collect::<Vec<_>>()
        ),
        any::<char>(),
    ];
    let appended =
        prop_oneof!["[A-Za-z0-9_=.-]{1,8}", "\\PC{1,4}", Just("=".to_owned()), Just(".".to_owned())];
    prop_oneof![
        4 => (any::<Index>(), character.clone()).prop_map(|(at, c)| Mutation::Replace(at, c)),
        2 => (any::<Index>(), character).prop_map(|(at, c)| Mutation::Insert(at, c)),
        1 => any::<Index>().prop_map(Mutation::Delete),
        1 => any::<Index>().prop_map(Mutation::Truncate),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::Exchange(a, b)),
        1 => appended.prop_map(Mutation::Append),
    ]
}

fn mutate(token: &str, mutation: &Mutation) -> String {
    let mut characters: Vec<char> = token.chars().collect();
    let length = characters.len();
    match mutation {
        Mutation::Replace(at, character) => characters[at.index(length)] = *character,
        Mutation::Insert(at, character) => characters.insert(at.index(length + 1), *character),
        Mutation::Delete(at) => drop(characters.remove(at.index(length))),
        Mutation::Truncate(at) => characters.truncate(at.index(length)),
        Mutation::Exchange(one, other) => characters.swap(one.index(length), other.index(length)),
        Mutation::Append(text) => characters.extend(text.chars()),
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_changed_token_verifies(which: Index, mutation in mutation()) {
        let (verifier, token, _) = which.get(&VALID);
        let mutated = mutate(token, &mutation);
        prop_assume!(mutated != *token);
        prop_assert!(verify(verifier, &mutated).is_err(), "{}", mutated);
    }

    #[test]
    fn arbitrary_text_never_verifies(text in "\\PC*") {
        let (verifier, ..) = &VALID[0];
        prop_assert!(verify(verifier, &text).is_err());
    }
}

/// Every single bit of every part, which random mutations only sample.
#[test]
fn no_flipped_bit_verifies() {
    let (verifier, token, _) = &VALID[0];
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let flipped = String::from_utf8(bytes).unwrap();
            assert!(verify(verifier, &flipped).is_err(), "{flipped}");
        }
    }
}

#[test]
fn parts_of_two_tokens_do_not_mix() {
    for (verifier, one, other) in VALID.iter() {
        assert!(verify(verifier, one).is_ok() && verify(verifier, other).is_ok());
        let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (one, other) = (parts(one), parts(other));
        let mixed = [
            format!("{}.{}.{}", one[0], other[1], one[2]),
            format!("{}.{}.{}", one[0], one[1], other[2]),
            format!("{}.{}.{}", one[1], one[0], one[2]),
        ];
        for token in mixed {
            assert!(verify(verifier, &token).is_err(), "{token}");
        }
    }
    for (verifier, ..) in VALID.iter() {
        let verified = VALID.iter().filter(|(_, token, _)| verify(verifier, token).is_ok()).count();
        assert_eq!(verified, 1, "a token verifies with its own key only");
    }
}
