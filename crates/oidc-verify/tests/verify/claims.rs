//! What a verified token says, and the choices that a configuration leaves open.

use std::time::Duration;

use futures_util::FutureExt as _;
use oidc_verify::{
    Algorithm, IssuerConfig, IssuerConfigBuilder, IssuerSet, KEY_MAX_AGE, Rejected, SharedKeys,
    TokenVerifier, VerifiedToken, VerifyError,
};
use serde_json::{Value, json};

use crate::signer::{AUDIENCE, ISSUER, Signer, claims, config, key_set, now, verify};

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn verify_with(
    config: IssuerConfigBuilder,
    signer: &Signer,
    claims: &Value,
) -> Result<VerifiedToken, VerifyError> {
    let verifier = TokenVerifier::new(config.build().unwrap(), SharedKeys::new(signer.key_set()));
    verify(&verifier, &signer.sign_token(&signer.header(), claims))
}

fn es256() -> IssuerConfigBuilder {
    config(Algorithm::Es256)
}

#[test]
fn a_verified_token_says_what_was_signed() {
    let signer = Signer::es256("1");
    let mut signed = with("idp", json!("https://upstream.example"));
    signed["hints"] = json!({ "groups": ["a", "b"] });
    let token = verify_with(es256(), &signer, &signed).unwrap();
    assert_eq!((token.issuer(), token.subject(), token.audience()), (ISSUER, "auth0|x/é", AUDIENCE));
    assert_eq!((token.client_id(), token.jwt_id(), token.tenant()), (Some("c"), Some("j"), None));
    assert_eq!(token.scopes(), ["a", "b"]);
    assert_eq!(token.issued_at(), now() - Duration::from_mins(1));
    assert_eq!(token.expires_at(), now() + Duration::from_mins(1));
    assert_eq!(token.text_claim("idp"), Some("https://upstream.example"));
    assert_eq!(token.text_claim("hints"), None);
    assert_eq!(token.claims().get("hints"), Some(&json!({ "groups": ["a", "b"] })));
    assert!(!format!("{token:?}").contains("groups"));
}

#[test]
fn a_result_is_rechecked_at_expiry_or_when_keys_are_due() {
    let signer = Signer::es256("1");
    let short = verify_with(es256(), &signer, &claims()).unwrap();
    assert_eq!(short.recheck_at(), short.expires_at());
    let long = verify_with(es256(), &signer, &with("exp", json!(1_800_009_999))).unwrap();
    assert_eq!(long.recheck_at(), now() + KEY_MAX_AGE);
}

#[test]
fn scopes_come_in_four_forms() {
    let signer = Signer::es256("1");
    let cases = [
        ("scope", json!("a b"), vec!["a", "b"]),
        ("scope", json!("  a  b "), vec!["a", "b"]),
        ("scope", json!(""), vec![]),
        ("scope", json!(["a", "b"]), vec!["a", "b"]),
        ("scp", json!("a"), vec!["a"]),
        ("scp", json!(["a"]), vec!["a"]),
        ("other", json!("a"), vec![]),
    ];
    for (name, value, expected) in cases {
        let mut signed = claims();
        signed.as_object_mut().unwrap().remove("scope");
        signed[name] = value;
        assert_eq!(verify_with(es256(), &signer, &signed).unwrap().scopes(), expected, "{signed}");
    }
    let both = with("scp", json!("admin"));
    assert_eq!(verify_with(es256(), &signer, &both).unwrap().scopes(), ["a", "b"], "scope comes first");
}

#[test]
fn the_client_is_client_id_or_else_azp() {
    let signer = Signer::es256("1");
    let both = with("azp", json!("other"));
    assert_eq!(verify_with(es256(), &signer, &both).unwrap().client_id(), Some("c"));
    let mut azp = both;
    azp.as_object_mut().unwrap().remove("client_id");
    assert_eq!(verify_with(es256(), &signer, &azp).unwrap().client_id(), Some("other"));
    azp.as_object_mut().unwrap().remove("azp");
    assert_eq!(verify_with(es256(), &signer, &azp).unwrap().client_id(), None);
}

#[test]
fn one_of_several_audiences_is_enough() {
    let signer = Signer::es256("1");
    let several = with("aud", json!(["https://idp.example.com/userinfo", AUDIENCE]));
    assert_eq!(verify_with(es256(), &signer, &several).unwrap().audience(), AUDIENCE);
    let two = es256().audiences(["second"]);
    assert_eq!(verify_with(two, &signer, &with("aud", json!("second"))).unwrap().audience(), "second");
}

#[test]
fn authorized_parties_are_exact_once_configured() {
    let signer = Signer::es256("1");
    let cases = [
        (json!("web"), Ok(())),
        (json!("Web"), Err(Rejected::AuthorizedParty)),
        (json!("web2"), Err(Rejected::AuthorizedParty)),
        (json!(["web"]), Err(Rejected::InvalidClaim("azp"))),
    ];
    for (azp, expected) in cases {
        let verified = verify_with(es256().authorized_parties(["web"]), &signer, &with("azp", azp.clone()));
        assert_eq!(verified.map(drop), expected.map_err(VerifyError::Rejected), "{azp}");
    }
    let absent = verify_with(es256().authorized_parties(["web"]), &signer, &claims());
    assert_eq!(absent, Err(Rejected::AuthorizedParty.into()));
}

#[test]
fn the_tenant_comes_from_its_pointer() {
    let signer = Signer::es256("1");
    let cases = [
        ("/tenant", json!({ "tenant": "acme" }), Ok(Some("acme"))),
        ("/x/org/id", json!({ "org": { "id": "acme" } }), Ok(Some("acme"))),
        ("/x/list/1", json!({ "list": ["a", "b"] }), Ok(Some("b"))),
        ("/x/https:~1~1claims~0", json!({ "https://claims~": "acme" }), Ok(Some("acme"))),
        ("/x/org/id", json!({ "org": "acme" }), Ok(None)),
        ("/x/org", json!({}), Ok(None)),
        ("/x/org", json!({ "org": "" }), Err(Rejected::InvalidClaim("tenant"))),
        ("/x/org", json!({ "org": 7 }), Err(Rejected::InvalidClaim("tenant"))),
        ("/x/org", json!({ "org": null }), Err(Rejected::InvalidClaim("tenant"))),
        ("/x/org", json!({ "org": ["acme"] }), Err(Rejected::InvalidClaim("tenant"))),
    ];
    for (pointer, value, expected) in cases {
        let signed = match pointer {
            "/tenant" => with("tenant", value["tenant"].clone()),
            _ => with("x", value.clone()),
        };
        let verified = verify_with(es256().tenant_claim(pointer), &signer, &signed);
        let tenant = verified.map(|token| token.tenant().map(str::to_owned));
        let expected = expected.map(|tenant| tenant.map(str::to_owned)).map_err(VerifyError::Rejected);
        assert_eq!(tenant, expected, "{pointer} in {value}");
    }
}

#[test]
fn further_claims_can_be_required() {
    let signer = Signer::es256("1");
    let strict = || es256().required_claims(["tenant", "email"]);
    let mut signed = with("tenant", json!("acme"));
    assert_eq!(
        verify_with(strict(), &signer, &signed),
        Err(Rejected::MissingClaim("email".to_owned()).into())
    );
    signed["email"] = json!(null);
    assert!(verify_with(strict(), &signer, &signed).is_err());
    signed["email"] = json!("a@example.com");
    assert!(verify_with(strict(), &signer, &signed).is_ok());
}

#[test]
fn leeway_moves_every_boundary_and_no_further() {
    let signer = Signer::es256("1");
    let cases = [
        (0, "exp", 1_800_000_001, Ok(())),
        (0, "exp", 1_800_000_000, Err(Rejected::Expired)),
        (30, "exp", 1_799_999_971, Ok(())),
        (30, "exp", 1_799_999_970, Err(Rejected::Expired)),
        (0, "nbf", 1_800_000_000, Ok(())),
        (0, "nbf", 1_800_000_001, Err(Rejected::NotYetValid)),
        (30, "nbf", 1_800_000_030, Ok(())),
        (30, "nbf", 1_800_000_031, Err(Rejected::NotYetValid)),
        (30, "iat", 1_800_000_030, Ok(())),
        (30, "iat", 1_800_000_031, Err(Rejected::NotYetValid)),
    ];
    for (leeway, name, date, expected) in cases {
        let config = es256().leeway(Duration::from_secs(leeway));
        let verified = verify_with(config, &signer, &with(name, json!(date)));
        assert_eq!(verified.map(drop), expected.map_err(VerifyError::Rejected), "{leeway} {name} {date}");
    }
}

/// SEC-21: a token of another `typ` than the configured one -> rejected
#[test]
fn token_types_are_media_types() {
    let signer = Signer::es256("1");
    let cases = [
        (&["at+jwt"][..], json!("at+jwt"), true),
        (&["at+jwt"], json!("AT+JWT"), true),
        (&["at+jwt"], json!("application/at+jwt"), true),
        (&["at+jwt"], json!("Application/At+Jwt"), true),
        (&["application/at+jwt"], json!("at+jwt"), true),
        (&["at+jwt"], json!("text/at+jwt"), false),
        (&["at+jwt"], json!("application/application/at+jwt"), false),
        (&["at+jwt"], json!(null), false),
        (&["JWT"], json!("at+jwt"), false),
        (&["at+jwt", "JWT"], json!("jwt"), true),
    ];
    for (allowed, found, expected) in cases {
        let config = es256().token_types(allowed.iter().copied()).build().unwrap();
        let verifier = TokenVerifier::new(config, SharedKeys::new(signer.key_set()));
        let header = json!({ "alg": "ES256", "kid": "1", "typ": found });
        let verified = verify(&verifier, &signer.sign_token(&header, &claims()));
        assert_eq!(verified.is_ok(), expected, "{allowed:?} {found}");
    }
    let config = es256().token_types(["JWT"]).build().unwrap();
    let verifier = TokenVerifier::new(config, SharedKeys::new(signer.key_set()));
    let untyped = signer.sign_token(&json!({ "alg": "ES256", "kid": "1" }), &claims());
    assert!(verify(&verifier, &untyped).is_ok(), "no typ counts as JWT");
}

#[test]
fn a_token_without_kid_needs_the_only_key() {
    let (one, two) = (Signer::es256("1"), Signer::es256("2"));
    let edwards = Signer::eddsa("3");
    let token = one.sign_token(&json!({ "typ": "at+jwt", "alg": "ES256" }), &claims());
    let cases = [
        (key_set(&[&one.jwk, &edwards.jwk]), Ok(())),
        (key_set(&[&one.jwk, &two.jwk]), Err(Rejected::AmbiguousKey)),
        (key_set(&[&edwards.jwk]), Err(Rejected::UnknownKey)),
        (key_set(&[]), Err(Rejected::UnknownKey)),
    ];
    for (keys, expected) in cases {
        let verifier = TokenVerifier::new(es256().build().unwrap(), SharedKeys::new(keys.clone()));
        let verified = verify(&verifier, &token).map(drop);
        assert_eq!(verified, expected.map_err(VerifyError::Rejected), "{keys:?}");
    }
}

#[test]
fn a_key_verifies_only_its_own_algorithm() {
    let (elliptic, edwards) = (Signer::es256("e"), Signer::eddsa("d"));
    let config = es256().algorithms([Algorithm::EdDsa]).build().unwrap();
    let verifier = TokenVerifier::new(config, SharedKeys::new(key_set(&[&elliptic.jwk, &edwards.jwk])));
    let crossed = elliptic.sign_token(&json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": "e" }), &claims());
    assert_eq!(verify(&verifier, &crossed), Err(Rejected::KeyAlgorithm.into()));
    assert!(verify(&verifier, &elliptic.token()).is_ok());
    assert!(verify(&verifier, &edwards.token()).is_ok());
}

#[test]
fn shared_keys_are_replaced_for_every_holder() {
    let (old, new) = (Signer::es256("old"), Signer::es256("new"));
    let keys = SharedKeys::new(old.key_set());
    let verifier = TokenVerifier::new(es256().build().unwrap(), keys.clone());
    assert!(verify(&verifier, &old.token()).is_ok());
    keys.replace(new.key_set());
    assert_eq!(verify(&verifier, &old.token()), Err(Rejected::UnknownKey.into()));
    assert!(verify(&verifier, &new.token()).is_ok());
}

#[test]
fn issuers_are_apart() {
    const OTHER: &str = "https://other.example.com";
    let (ours, theirs) = (Signer::es256("1"), Signer::es256("1"));
    let other =
        IssuerConfig::builder(OTHER).audience(AUDIENCE).algorithms([Algorithm::Es256]).build().unwrap();
    let set = IssuerSet::new([
        TokenVerifier::new(es256().build().unwrap(), SharedKeys::new(ours.key_set())),
        TokenVerifier::new(other, SharedKeys::new(theirs.key_set())),
    ])
    .unwrap();
    let verify = |signer: &Signer, issuer: &str| {
        let token = signer.sign_token(&signer.header(), &with("iss", json!(issuer)));
        set.verify(&token, now()).now_or_never().unwrap().map(|token| token.issuer().to_owned())
    };
    assert_eq!(verify(&ours, ISSUER), Ok(ISSUER.to_owned()));
    assert_eq!(verify(&theirs, OTHER), Ok(OTHER.to_owned()));
    assert_eq!(verify(&theirs, ISSUER), Err(Rejected::Signature.into()));
    assert_eq!(verify(&ours, OTHER), Err(Rejected::Signature.into()));
    assert_eq!(verify(&ours, "https://third.example.com"), Err(Rejected::Issuer.into()));
}
