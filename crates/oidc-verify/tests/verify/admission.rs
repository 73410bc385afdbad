//! Which published keys are admitted (SEC-24, SEC-25).

use aws_lc_rs::signature;
use oidc_verify::{Algorithm, KeyRefusal, KeySet, KeySetError};
use serde_json::{Value, json};

use crate::signer::{Signer, base64url, key_set, private_scalar};

/// Members to set, or to remove by null, and whether the key is refused then.
type Case<'c> = (&'c [(&'c str, Value)], Option<KeyRefusal>);

fn edited(key: &Value, edits: &[(&str, Value)]) -> Value {
    let mut key = key.clone();
    for (name, value) in edits {
        match value {
            Value::Null => key.as_object_mut().unwrap().remove(*name),
            value => key.as_object_mut().unwrap().insert((*name).to_owned(), value.clone()),
        };
    }
    key
}

/// A modulus of exactly `bits` bits; nobody checks that it is a product of primes.
fn modulus(bits: usize) -> Value {
    let mut octets = vec![0xff; bits.div_ceil(8)];
    octets[0] >>= octets.len() * 8 - bits;
    json!(base64url(octets))
}

fn refusal(key: &Value) -> Option<KeyRefusal> {
    let set = key_set(&[key]);
    assert_eq!(set.len() + set.refused().len(), 1);
    set.refused().first().map(|refused| refused.reason)
}

#[test]
fn rsa_keys() {
    let rsa = Signer::rsa("1", Algorithm::Rs256, &signature::RSA_PKCS1_SHA256).jwk;
    let cases: &[Case] = &[
        (&[], None),
        (&[("alg", json!("PS512"))], None),
        (&[("alg", Value::Null), ("use", Value::Null), ("kid", Value::Null)], None),
        (&[("use", Value::Null), ("key_ops", json!(["verify"]))], None),
        (&[("key_ops", json!(["sign", "verify"]))], None),
        (&[("x5c", json!(["MIIB"])), ("x5t", json!("x")), ("unknown", json!({}))], None),
        (&[("n", modulus(2048))], None),
        (&[("n", modulus(2049))], None),
        (&[("n", modulus(8192))], None),
        (&[("n", modulus(2047))], Some(KeyRefusal::RsaSize)),
        (&[("n", modulus(1024))], Some(KeyRefusal::RsaSize)),
        (&[("n", modulus(512))], Some(KeyRefusal::RsaSize)),
        (&[("n", modulus(8193))], Some(KeyRefusal::RsaSize)),
        (&[("n", json!(base64url([0])))], Some(KeyRefusal::Member("n"))),
        (&[("n", json!(base64url([&[0], &[0xff; 256][..]].concat())))], Some(KeyRefusal::Member("n"))),
        (&[("n", json!(""))], Some(KeyRefusal::Member("n"))),
        (&[("n", json!("AQAB="))], Some(KeyRefusal::Member("n"))),
        (&[("n", json!(7))], Some(KeyRefusal::Member("n"))),
        (&[("n", Value::Null)], Some(KeyRefusal::Member("n"))),
        (&[("e", Value::Null)], Some(KeyRefusal::Member("e"))),
        (&[("e", json!(base64url([1])))], Some(KeyRefusal::RsaExponent)),
        (&[("e", json!(base64url([3])))], Some(KeyRefusal::RsaExponent)),
        (&[("e", json!(base64url([1, 0, 0])))], Some(KeyRefusal::RsaExponent)),
        (&[("e", json!(base64url([1, 0, 0, 0, 1])))], Some(KeyRefusal::RsaExponent)),
        (&[("e", json!(base64url([0xff; 256])))], Some(KeyRefusal::RsaExponent)),
        (&[("use", json!("enc"))], Some(KeyRefusal::Use)),
        (&[("use", json!("SIG"))], Some(KeyRefusal::Use)),
        (&[("use", json!(["sig"]))], Some(KeyRefusal::Member("use"))),
        (&[("key_ops", json!([]))], Some(KeyRefusal::KeyOps)),
        (&[("key_ops", json!(["sign"]))], Some(KeyRefusal::KeyOps)),
        (&[("key_ops", json!(["verify", "encrypt"]))], Some(KeyRefusal::KeyOps)),
        (&[("key_ops", json!("verify"))], Some(KeyRefusal::Member("key_ops"))),
        (&[("alg", json!("RSA-OAEP"))], Some(KeyRefusal::Algorithm)),
        (&[("alg", json!("HS256"))], Some(KeyRefusal::Algorithm)),
        (&[("alg", json!("none"))], Some(KeyRefusal::Algorithm)),
        (&[("alg", json!("ES256"))], Some(KeyRefusal::Algorithm)),
        (&[("alg", json!("EdDSA"))], Some(KeyRefusal::Algorithm)),
        (&[("alg", json!(1))], Some(KeyRefusal::Member("alg"))),
        (&[("kid", json!(1))], Some(KeyRefusal::Member("kid"))),
        (&[("kty", json!("rsa"))], Some(KeyRefusal::KeyType)),
        (&[("kty", Value::Null)], Some(KeyRefusal::Member("kty"))),
        (&[("d", json!("AQAB"))], Some(KeyRefusal::PrivateMember("d"))),
        (&[("p", json!("AQAB"))], Some(KeyRefusal::PrivateMember("p"))),
        (&[("oth", json!([]))], Some(KeyRefusal::PrivateMember("oth"))),
    ];
    for (edits, expected) in cases {
        assert_eq!(refusal(&edited(&rsa, edits)), *expected, "{edits:?}");
    }
}

#[test]
fn elliptic_keys() {
    let key = Signer::es256("1").jwk;
    let other = Signer::es256("1").jwk;
    let long =
        Signer::elliptic("1", Algorithm::Es384, "P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING).jwk;
    let x = key["x"].as_str().unwrap();
    let cases: &[Case] = &[
        (&[], None),
        (&[("alg", Value::Null)], None),
        (&[("crv", json!("P-384"))], Some(KeyRefusal::Curve)),
        (&[("alg", json!("ES384"))], Some(KeyRefusal::Curve)),
        (&[("alg", json!("RS256"))], Some(KeyRefusal::Curve)),
        (&[("crv", json!("secp256k1")), ("alg", Value::Null)], Some(KeyRefusal::Curve)),
        (&[("crv", json!("p-256"))], Some(KeyRefusal::Curve)),
        (&[("crv", Value::Null)], Some(KeyRefusal::Member("crv"))),
        (&[("x", Value::Null)], Some(KeyRefusal::Member("x"))),
        (&[("y", Value::Null)], Some(KeyRefusal::Member("y"))),
        (&[("y", json!(format!("AA{}", key["y"].as_str().unwrap())))], Some(KeyRefusal::Member("y"))),
        (&[("x", long["x"].clone()), ("y", long["y"].clone())], Some(KeyRefusal::Member("x"))),
        (&[("y", json!(x))], Some(KeyRefusal::Invalid)),
        (&[("y", other["y"].clone())], Some(KeyRefusal::Invalid)),
        (&[("x", json!(base64url([0; 32]))), ("y", json!(base64url([0; 32])))], Some(KeyRefusal::Invalid)),
        (&[("x", json!(base64url([0xff; 32])))], Some(KeyRefusal::Invalid)),
        (&[("d", json!(private_scalar()))], Some(KeyRefusal::PrivateMember("d"))),
    ];
    for (edits, expected) in cases {
        let key = edited(&key, edits);
        // Two fresh keys share neither coordinate, so one's x with the other's y is on the curve by a freak only.
        assert_eq!(refusal(&key), *expected, "{edits:?}");
    }
    assert_eq!(refusal(&long), None);
}

#[test]
fn edwards_and_other_keys() {
    let key = Signer::eddsa("1").jwk;
    let cases: &[Case] = &[
        (&[], None),
        (&[("alg", json!("Ed25519"))], None),
        (&[("crv", json!("X25519"))], Some(KeyRefusal::Curve)),
        (&[("crv", json!("Ed448"))], Some(KeyRefusal::Curve)),
        (&[("alg", json!("ES256"))], Some(KeyRefusal::Curve)),
        (&[("x", json!(base64url([1; 31])))], Some(KeyRefusal::Member("x"))),
        (&[("x", json!(base64url([1; 33])))], Some(KeyRefusal::Member("x"))),
        (&[("d", json!(private_scalar()))], Some(KeyRefusal::PrivateMember("d"))),
    ];
    for (edits, expected) in cases {
        assert_eq!(refusal(&edited(&key, edits)), *expected, "{edits:?}");
    }
    let symmetric = json!({ "kty": "oct", "kid": "1", "alg": "HS256", "k": "c2VjcmV0" });
    assert_eq!(refusal(&symmetric), Some(KeyRefusal::PrivateMember("k")));
    assert_eq!(refusal(&json!({ "kty": "oct" })), Some(KeyRefusal::KeyType));
    for no_key in [json!(null), json!("key"), json!([]), json!(1)] {
        assert_eq!(refusal(&no_key), Some(KeyRefusal::NotAnObject));
    }
}

#[test]
fn one_bad_key_does_not_spoil_the_others() {
    let (good, also_good) = (Signer::es256("good"), Signer::eddsa("also good"));
    let bad = edited(&good.jwk, &[("use", json!("enc")), ("kid", json!("b\u{1b}ad"))]);
    let set = key_set(&[&good.jwk, &bad, &json!(7), &also_good.jwk]);
    assert_eq!(set.len(), 2);
    let refused: Vec<String> = set.refused().iter().map(ToString::to_string).collect();
    assert_eq!(refused, [r#"key 2 ("b\u{1b}ad"): use is not sig"#, "key 3: is not an object"]);
}

#[test]
fn one_key_has_one_algorithm_and_one_name_has_one_key() {
    let rsa = Signer::rsa("1", Algorithm::Rs256, &signature::RSA_PKCS1_SHA256).jwk;
    let second_algorithm = edited(&rsa, &[("alg", json!("PS256")), ("kid", json!("2"))]);
    let second_name = edited(&rsa, &[("kid", json!("2"))]);
    let other_key = Signer::rsa("1", Algorithm::Rs256, &signature::RSA_PKCS1_SHA256).jwk;
    let other_type = Signer::es256("1").jwk;
    let cases = [
        (&second_algorithm, Some(KeyRefusal::SecondAlgorithm)),
        (&other_key, Some(KeyRefusal::DuplicateKeyId)),
        (&rsa, Some(KeyRefusal::DuplicateKeyId)),
        (&second_name, None),
        (&other_type, None),
    ];
    for (second, expected) in cases {
        let set = key_set(&[&rsa, second]);
        assert_eq!(set.refused().first().map(|refused| refused.reason), expected, "{second}");
    }
}

#[test]
fn documents_that_are_no_key_sets() {
    let many = json!({ "keys": vec![json!({}); 101] }).to_string();
    let large = format!("{{\"keys\":[],\"pad\":\"{}\"}}", "x".repeat(600_000));
    let cases = [
        ("", KeySetError::NotAnObject),
        ("<html>", KeySetError::NotAnObject),
        ("[]", KeySetError::NotAnObject),
        (r#"{"keys":[],"keys":[]}"#, KeySetError::NotAnObject),
        ("{}", KeySetError::NoKeys),
        (r#"{"keys":{}}"#, KeySetError::NoKeys),
        (r#"{"kty":"EC"}"#, KeySetError::NoKeys),
        (&many, KeySetError::TooManyKeys),
        (&large, KeySetError::TooLarge),
    ];
    for (document, expected) in cases {
        assert_eq!(KeySet::from_jwks_json(document.as_bytes()).map(drop), Err(expected));
    }
    assert!(KeySet::from_jwks_json(br#"{"keys":[]}"#).unwrap().is_empty());
}
