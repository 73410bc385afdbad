//! Every algorithm, tokens of another implementation, and the examples of the standards.

use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::signature;
use futures_util::FutureExt as _;
use jsonwebtoken::{EncodingKey, Header};
use oidc_verify::{Algorithm, IssuerConfig, Rejected, SharedKeys, TokenVerifier};
use serde_json::json;

use crate::signer::{Signer, base64url, claims, config, key_set, verify};

#[test]
fn every_algorithm_verifies_its_own_tokens() {
    let signers = [
        Signer::rsa("1", Algorithm::Rs256, &signature::RSA_PKCS1_SHA256),
        Signer::rsa("1", Algorithm::Rs384, &signature::RSA_PKCS1_SHA384),
        Signer::rsa("1", Algorithm::Rs512, &signature::RSA_PKCS1_SHA512),
        Signer::rsa("1", Algorithm::Ps256, &signature::RSA_PSS_SHA256),
        Signer::rsa("1", Algorithm::Ps384, &signature::RSA_PSS_SHA384),
        Signer::rsa("1", Algorithm::Ps512, &signature::RSA_PSS_SHA512),
        Signer::es256("1"),
        Signer::elliptic("1", Algorithm::Es384, "P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Signer::elliptic("1", Algorithm::Es512, "P-521", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        Signer::eddsa("1"),
    ];
    for signer in signers {
        let verified = verify(&signer.verifier(), &signer.token());
        assert!(verified.is_ok(), "{}: {verified:?}", signer.algorithm);
    }
}

#[test]
fn an_rsa_key_without_alg_is_for_rs256_only() {
    let bare = |algorithm, encoding| {
        let mut signer = Signer::rsa("1", algorithm, encoding);
        signer.jwk.as_object_mut().unwrap().remove("alg");
        verify(&signer.verifier(), &signer.token()).map(drop)
    };
    assert_eq!(bare(Algorithm::Rs256, &signature::RSA_PKCS1_SHA256), Ok(()));
    assert_eq!(bare(Algorithm::Rs512, &signature::RSA_PKCS1_SHA512), Err(Rejected::KeyAlgorithm.into()));
    assert_eq!(bare(Algorithm::Ps256, &signature::RSA_PSS_SHA256), Err(Rejected::KeyAlgorithm.into()));
}

#[test]
fn tokens_of_another_implementation_verify() {
    let pair = signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public = signature::KeyPair::public_key(&pair).as_ref();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": "theirs", "x": base64url(&public[1..33]), "y": base64url(&public[33..]),
    });
    let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("theirs".to_owned());
    let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
    let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
    let verifier =
        TokenVerifier::new(config(Algorithm::Es256).build().unwrap(), SharedKeys::new(key_set(&[&jwk])));
    assert_eq!(verify(&verifier, &token).unwrap().subject(), "auth0|x/é");
}

#[test]
fn a_token_of_a_loopback_issuer_verifies() {
    let signer = Signer::eddsa("1");
    let issuer = "http://127.0.0.1:8080";
    let config = IssuerConfig::builder(issuer).audience("a").algorithms([Algorithm::EdDsa]).build().unwrap();
    let verifier = TokenVerifier::new(config, SharedKeys::new(signer.key_set()));
    let claims = json!({ "iss": issuer, "sub": "s", "aud": "a", "iat": 1, "exp": 10 });
    let token = signer.sign_token(&signer.header(), &claims);
    assert!(verifier.verify(&token, UNIX_EPOCH + Duration::from_secs(5)).now_or_never().unwrap().is_ok());
}
