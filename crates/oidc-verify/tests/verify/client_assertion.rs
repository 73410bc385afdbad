//! Assertions of clients that are right but for one thing, each with the reason that must be given (SEC-17).

use std::time::Duration;

use aws_lc_rs::signature::{self, ECDSA_P384_SHA384_FIXED_SIGNING};
use oidc_verify::{
    Algorithm, ClientAssertion, ClientAssertionRules, KeySet, Rejected, UnverifiedClientAssertion,
    VerifyError,
};
use serde_json::{Value, json};

use crate::signer::{Signer, key_set, now};

const CLIENT: &str = "client-1";
const SERVER: &str = "https://connect.example.com";
const NOW: u64 = 1_800_000_000;

fn rules() -> ClientAssertionRules<'static> {
    ClientAssertionRules { client_id: CLIENT, audience: SERVER, algorithm: None, now: now() }
}

fn claims() -> Value {
    json!({ "iss": CLIENT, "sub": CLIENT, "aud": SERVER, "exp": NOW + 60, "jti": "j" })
}

fn header(signer: &Signer) -> Value {
    json!({ "alg": signer.algorithm.name(), "kid": signer.jwk["kid"] })
}

fn verify(
    assertion: &str,
    rules: &ClientAssertionRules<'_>,
    keys: &KeySet,
) -> Result<ClientAssertion, VerifyError> {
    UnverifiedClientAssertion::parse(assertion)?.check(rules)?.verify(keys)
}

/// Changes members; `null` removes one.
fn changed(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => object.as_object_mut().unwrap().remove(name),
            value => object.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    object
}

#[test]
fn every_listed_algorithm_verifies() {
    let signers = [
        Signer::es256("1"),
        Signer::elliptic("2", Algorithm::Es384, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        Signer::eddsa("3"),
        Signer::rsa("4", Algorithm::Rs256, &signature::RSA_PKCS1_SHA256),
        Signer::rsa("5", Algorithm::Ps256, &signature::RSA_PSS_SHA256),
    ];
    for signer in &signers {
        let assertion = signer.sign_token(&header(signer), &claims());
        let unverified = UnverifiedClientAssertion::parse(&assertion).unwrap();
        assert_eq!(unverified.client_id(), Some(CLIENT));
        let registered = ClientAssertionRules { algorithm: Some(signer.algorithm), ..rules() };
        for rules in [rules(), registered] {
            let verified = verify(&assertion, &rules, &signer.key_set()).unwrap();
            assert_eq!(verified.jwt_id(), "j");
            assert_eq!(verified.expires_at(), now() + Duration::from_mins(1));
        }
    }
}

/// SEC-17: an assertion of another client, for another server, with a list as `aud`, without `jti`, expired or valid for more than five minutes -> refused
/// SEC-26: an assertion with `crit`, of another type or without a type that it may have -> refused
#[test]
fn one_wrong_claim_or_header_is_enough() {
    let signer = Signer::es256("1");
    let invalid = Rejected::InvalidClaim;
    let missing = |name: &str| Rejected::MissingClaim(name.to_owned());
    let cases = [
        (json!({ "iss": "client-2" }), Rejected::Issuer),
        (json!({ "iss": null }), missing("iss")),
        (json!({ "iss": [CLIENT] }), invalid("iss")),
        (json!({ "sub": "client-2" }), invalid("sub")),
        (json!({ "sub": null }), missing("sub")),
        (json!({ "aud": [SERVER] }), invalid("aud")),
        (json!({ "aud": [SERVER, "https://other.example"] }), invalid("aud")),
        (json!({ "aud": "https://connect.example.com/" }), Rejected::Audience),
        (json!({ "aud": "https://connect.example.com/token" }), Rejected::Audience),
        (json!({ "aud": null }), missing("aud")),
        (json!({ "exp": null }), invalid("exp")),
        (json!({ "exp": "1800000060" }), invalid("exp")),
        (json!({ "exp": NOW }), Rejected::Expired),
        (json!({ "exp": NOW + 301 }), Rejected::Lifetime),
        (json!({ "nbf": NOW + 31 }), Rejected::NotYetValid),
        (json!({ "iat": NOW + 31 }), Rejected::NotYetValid),
        (json!({ "iat": "now" }), invalid("iat")),
        (json!({ "jti": null }), missing("jti")),
        (json!({ "jti": "" }), invalid("jti")),
        (json!({ "jti": 7 }), invalid("jti")),
        (json!({ "jti": "j".repeat(257) }), invalid("jti")),
    ];
    for (changes, reason) in cases {
        let assertion = signer.sign_token(&header(&signer), &changed(claims(), &changes));
        let refused = verify(&assertion, &rules(), &signer.key_set()).unwrap_err();
        assert_eq!(refused, VerifyError::Rejected(reason), "{changes}");
    }
    let headers = [
        (json!({ "typ": "at+jwt" }), Rejected::TokenType),
        (json!({ "typ": "dpop+jwt" }), Rejected::TokenType),
        (json!({ "alg": "none" }), Rejected::Algorithm),
        (json!({ "alg": "HS256" }), Rejected::Algorithm),
        (json!({ "alg": "ES512" }), Rejected::Algorithm),
        (json!({ "crit": ["x"] }), Rejected::HeaderMember("crit")),
        (json!({ "kid": "2" }), Rejected::UnknownKey),
    ];
    for (changes, reason) in headers {
        let assertion = signer.sign_token(&changed(header(&signer), &changes), &claims());
        let refused = verify(&assertion, &rules(), &signer.key_set()).unwrap_err();
        assert_eq!(refused, VerifyError::Rejected(reason), "{changes}");
    }
}

#[test]
fn what_clients_may_add_or_leave_out_passes() {
    let signer = Signer::es256("1");
    let headers = [
        json!({ "typ": "JWT" }),
        json!({ "typ": "client-authentication+jwt" }),
        json!({ "typ": "application/jwt" }),
        json!({ "kid": null }),
    ];
    for changes in headers {
        let assertion = signer.sign_token(&changed(header(&signer), &changes), &claims());
        assert!(verify(&assertion, &rules(), &signer.key_set()).is_ok(), "{changes}");
    }
    for changes in [json!({ "exp": NOW + 300 }), json!({ "nbf": NOW + 30, "iat": NOW + 30 })] {
        let assertion = signer.sign_token(&header(&signer), &changed(claims(), &changes));
        assert!(verify(&assertion, &rules(), &signer.key_set()).is_ok(), "{changes}");
    }
}

/// SEC-17: an assertion signed with another key, or by another algorithm than the registered one -> refused
#[test]
fn only_the_clients_key_and_algorithm_count() {
    let (signer, other) = (Signer::es256("1"), Signer::es256("1"));
    let assertion = other.sign_token(&header(&other), &claims());
    let refused = verify(&assertion, &rules(), &signer.key_set()).unwrap_err();
    assert_eq!(refused, VerifyError::Rejected(Rejected::Signature));

    let ed = Signer::eddsa("2");
    let both = key_set(&[&signer.jwk, &ed.jwk]);
    let assertion = ed.sign_token(&header(&ed), &claims());
    let registered = ClientAssertionRules { algorithm: Some(Algorithm::Es256), ..rules() };
    assert!(verify(&assertion, &rules(), &both).is_ok());
    let refused = verify(&assertion, &registered, &both).unwrap_err();
    assert_eq!(refused, VerifyError::Rejected(Rejected::Algorithm));

    assert!(UnverifiedClientAssertion::parse("a.b").is_err());
}
