//! Tokens that are right but for one thing, each with the reason that must be given (SEC-21, SEC-24, SEC-26, SEC-27).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use oidc_verify::{Malformed, Part, Rejected, VerifyError};
use serde_json::{Value, json};

use crate::signer::{self, Signer, base64url, claims, verify};

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

fn rejected(reason: Rejected) -> VerifyError {
    VerifyError::Rejected(reason)
}

fn malformed(reason: Malformed) -> VerifyError {
    VerifyError::Malformed(reason)
}

#[test]
fn the_unbroken_token_passes() {
    let signer = Signer::es256("1");
    assert!(verify(&signer.verifier(), &signer.token()).is_ok());
}

/// SEC-21, SEC-24: another `typ`, algorithm or key identifier in the header -> rejected
#[test]
fn one_wrong_header_member_is_enough() {
    let signer = Signer::es256("1");
    let header = signer.header();
    let unsupported = |name| rejected(Rejected::HeaderMember(name));
    let cases = [
        (with(header.clone(), "alg", json!("none")), rejected(Rejected::Algorithm)),
        (with(header.clone(), "alg", json!("NonE")), rejected(Rejected::Algorithm)),
        (with(header.clone(), "alg", json!("")), rejected(Rejected::Algorithm)),
        (with(header.clone(), "alg", json!("HS256")), rejected(Rejected::Algorithm)),
        (with(header.clone(), "alg", json!("es256")), rejected(Rejected::Algorithm)),
        (with(header.clone(), "alg", json!("ES384")), rejected(Rejected::Algorithm)),
        (with(header.clone(), "alg", json!("RS256")), rejected(Rejected::Algorithm)),
        (with(header.clone(), "alg", json!(["ES256"])), malformed(Malformed::HeaderMember("alg"))),
        (with(header.clone(), "alg", json!(null)), malformed(Malformed::HeaderMember("alg"))),
        (without(header.clone(), "alg"), malformed(Malformed::HeaderMember("alg"))),
        (with(header.clone(), "kid", json!("2")), rejected(Rejected::UnknownKey)),
        (with(header.clone(), "kid", json!("")), rejected(Rejected::UnknownKey)),
        (with(header.clone(), "kid", json!("../../etc/passwd\u{0}")), rejected(Rejected::UnknownKey)),
        (with(header.clone(), "kid", json!(1)), malformed(Malformed::HeaderMember("kid"))),
        (with(header.clone(), "kid", json!(null)), malformed(Malformed::HeaderMember("kid"))),
        (with(header.clone(), "typ", json!("JWT")), rejected(Rejected::TokenType)),
        (with(header.clone(), "typ", json!("at+jwt ")), rejected(Rejected::TokenType)),
        (with(header.clone(), "typ", json!("application/dpop+jwt")), rejected(Rejected::TokenType)),
        (with(header.clone(), "typ", json!("")), rejected(Rejected::TokenType)),
        (with(header.clone(), "typ", json!(7)), malformed(Malformed::HeaderMember("typ"))),
        (without(header.clone(), "typ"), rejected(Rejected::TokenType)),
        (with(header.clone(), "crit", json!(["exp"])), unsupported("crit")),
        (with(header.clone(), "crit", json!([])), unsupported("crit")),
        (with(header.clone(), "crit", json!(null)), unsupported("crit")),
        (with(header.clone(), "b64", json!(false)), unsupported("b64")),
        (with(header.clone(), "b64", json!(true)), unsupported("b64")),
        (with(header, "zip", json!("DEF")), unsupported("zip")),
    ];
    let verifier = signer.verifier();
    for (header, expected) in cases {
        assert_eq!(verify(&verifier, &signer.sign_token(&header, &claims())), Err(expected), "{header}");
    }
}

/// SEC-26: `jwk`, `jku`, `x5c` or `x5u` in a token -> not used
#[test]
fn keys_that_a_token_brings_along_are_not_used() {
    let (ours, attacker) = (Signer::es256("1"), Signer::es256("1"));
    let header = json!({
        "typ": "at+jwt", "alg": "ES256", "kid": "1", "jwk": attacker.jwk, "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/chain", "x5c": ["MIIB"], "x5t": "x", "cty": "JWT",
    });
    let verifier = ours.verifier();
    let forged = attacker.sign_token(&header, &claims());
    assert_eq!(verify(&verifier, &forged), Err(rejected(Rejected::Signature)));
    assert!(verify(&verifier, &ours.sign_token(&header, &claims())).is_ok());
}

/// SEC-27: one wrong claim in a token -> rejected
#[test]
fn one_wrong_claim_is_enough() {
    let signer = Signer::es256("1");
    let missing = |name: &str| rejected(Rejected::MissingClaim(name.to_owned()));
    let invalid = |name| rejected(Rejected::InvalidClaim(name));
    let mut cases = vec![
        ("iss", json!("https://idp.example.com/realm/"), rejected(Rejected::Issuer)),
        ("iss", json!("https://IDP.example.com/realm"), rejected(Rejected::Issuer)),
        ("iss", json!("https://idp.example.com"), rejected(Rejected::Issuer)),
        ("iss", json!(""), rejected(Rejected::Issuer)),
        ("iss", json!([signer::ISSUER]), invalid("iss")),
        ("aud", json!("https://connect.example.com/mcp/platform"), rejected(Rejected::Audience)),
        ("aud", json!("https://connect.example.com/mcp/platform/mcp/"), rejected(Rejected::Audience)),
        ("aud", json!("HTTPS://connect.example.com/mcp/platform/mcp"), rejected(Rejected::Audience)),
        ("aud", json!(""), rejected(Rejected::Audience)),
        ("aud", json!([]), rejected(Rejected::Audience)),
        ("aud", json!(["other"]), rejected(Rejected::Audience)),
        ("aud", json!([signer::AUDIENCE, 1]), invalid("aud")),
        ("aud", json!({ "0": signer::AUDIENCE }), invalid("aud")),
        ("aud", json!(true), invalid("aud")),
        ("sub", json!(""), invalid("sub")),
        ("sub", json!(7), invalid("sub")),
        ("exp", json!(1_800_000_000), rejected(Rejected::Expired)),
        ("exp", json!(1_800_000_000.9), rejected(Rejected::Expired)),
        ("exp", json!(0), rejected(Rejected::Expired)),
        ("iat", json!(1_800_000_001), rejected(Rejected::NotYetValid)),
        ("iat", json!(1_800_000_000.1), rejected(Rejected::NotYetValid)),
        ("nbf", json!(1_800_000_001), rejected(Rejected::NotYetValid)),
        ("jti", json!(1), invalid("jti")),
        ("client_id", json!(["c"]), invalid("client_id")),
        ("scope", json!(1), invalid("scope")),
        ("scope", json!(["a", 1]), invalid("scope")),
    ];
    // SEC-26: odd dates. What is not a number from 1970 to 9999 is no date, for each of the three alike.
    let odd = [
        json!("1800000060"),
        json!(-1),
        json!(-0.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(253_402_300_800_u64),
        json!(true),
        json!([1_800_000_060]),
        json!({}),
    ];
    for name in ["exp", "iat", "nbf"] {
        cases.extend(odd.iter().map(|date| (name, date.clone(), invalid(name))));
    }
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        let expected = if name == "iss" { invalid("iss") } else { missing(name) };
        cases.push((name, Value::Null, expected));
    }
    let verifier = signer.verifier();
    for (name, value, expected) in cases {
        let token = signer.sign_token(&signer.header(), &with(claims(), name, value.clone()));
        assert_eq!(verify(&verifier, &token), Err(expected), "{name}: {value}");
    }
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        let token = signer.sign_token(&signer.header(), &without(claims(), name));
        assert_eq!(verify(&verifier, &token), Err(missing(name)), "{name}");
    }
}

/// SEC-26: padding, repeated members, `crit`, `b64`, JSON serialisation -> rejected
#[test]
fn one_trick_of_the_serialisation_is_enough() {
    let signer = Signer::es256("1");
    let (header, claims) = (signer.header().to_string(), claims().to_string());
    let (h, c) = (base64url(&header), base64url(&claims));
    let token = signer.token();
    let signature = token.rsplit('.').next().unwrap().to_owned();
    let deep = format!(r#"{{"x":{}1{},{}"#, "[".repeat(40), "]".repeat(40), &claims[1..]);
    let json_form = json!({ "payload": c, "protected": h, "signature": signature }).to_string();
    let encoding = |part| malformed(Malformed::Encoding(part));
    let cases = [
        ("empty", String::new(), malformed(Malformed::Parts)),
        ("opaque", "2YotnFZFEjr1zCsicMWpAA".to_owned(), malformed(Malformed::Parts)),
        ("two parts", format!("{h}.{c}"), malformed(Malformed::Parts)),
        ("four parts", format!("{token}."), malformed(Malformed::Parts)),
        ("five parts, as when encrypted", format!("{h}..{c}.{c}.{signature}"), malformed(Malformed::Parts)),
        ("JSON serialisation", json_form, malformed(Malformed::Parts)),
        ("no signature", format!("{h}.{c}."), rejected(Rejected::Signature)),
        ("no header", format!(".{c}.{signature}"), malformed(Malformed::NotAnObject(Part::Header))),
        ("no claims", format!("{h}..{signature}"), malformed(Malformed::NotAnObject(Part::Claims))),
        ("leading space", format!(" {token}"), encoding(Part::Header)),
        ("trailing newline", format!("{token}\n"), encoding(Part::Signature)),
        ("padding", signer.sign_parts(&URL_SAFE.encode(format!("{header} ")), &c), encoding(Part::Header)),
        ("other alphabet", signer.sign_parts(&h, &format!("{c}+/")), encoding(Part::Claims)),
        ("standard padding", signer.sign_parts(&h, &format!("{c}==")), encoding(Part::Claims)),
        ("unicode", signer.sign_parts(&h, &format!("{c}é")), encoding(Part::Claims)),
        (
            "duplicate header member",
            signer.sign_text(&format!(r#"{{"alg":"none",{}"#, &header[1..]), &claims),
            malformed(Malformed::DuplicateMember(Part::Header)),
        ),
        (
            "duplicate claim",
            signer.sign_text(&header, &format!(r#"{{"sub":"root",{}"#, &claims[1..])),
            malformed(Malformed::DuplicateMember(Part::Claims)),
        ),
        (
            "duplicate claim by escape",
            signer.sign_text(&header, &format!(r#"{{"s\u0075b":"root",{}"#, &claims[1..])),
            malformed(Malformed::DuplicateMember(Part::Claims)),
        ),
        (
            "duplicate member inside a claim",
            signer.sign_text(&header, &format!(r#"{{"x":[{{"a":1,"a":2}}],{}"#, &claims[1..])),
            malformed(Malformed::DuplicateMember(Part::Claims)),
        ),
        ("deep claims", signer.sign_text(&header, &deep), malformed(Malformed::TooDeep(Part::Claims))),
        (
            "claims are an array",
            signer.sign_text(&header, &format!("[{claims}]")),
            malformed(Malformed::NotAnObject(Part::Claims)),
        ),
        (
            "claims are a nested token",
            signer.sign_text(&header, &token),
            malformed(Malformed::NotAnObject(Part::Claims)),
        ),
        (
            "text after the claims",
            signer.sign_text(&header, &format!("{claims}x")),
            malformed(Malformed::NotAnObject(Part::Claims)),
        ),
        (
            "number out of range",
            signer.sign_text(&header, &claims.replace("1800000060", "1e999")),
            malformed(Malformed::NotAnObject(Part::Claims)),
        ),
    ];
    let verifier = signer.verifier();
    for (name, token, expected) in cases {
        assert_eq!(verify(&verifier, &token), Err(expected), "{name}");
    }
}

/// SEC-26: a token of any size -> refused above a bound
#[test]
fn size_is_bounded() {
    let signer = Signer::es256("1");
    let padded = |length: usize| {
        let claims = with(claims(), "pad", json!("x".repeat(length)));
        signer.sign_token(&signer.header(), &claims)
    };
    let (fits, too_long) = (padded(11_000), padded(12_500));
    assert!(fits.len() <= oidc_verify::MAX_TOKEN_BYTES && too_long.len() > oidc_verify::MAX_TOKEN_BYTES);
    assert!(verify(&signer.verifier(), &fits).is_ok());
    assert_eq!(verify(&signer.verifier(), &too_long), Err(malformed(Malformed::TooLong)));
    assert_eq!(verify(&signer.verifier(), &"a".repeat(1 << 20)), Err(malformed(Malformed::TooLong)));
}

/// SEC-24: zero, short, long, DER or foreign signatures -> rejected
#[test]
fn wrong_signatures_are_rejected() {
    let (signer, other) = (Signer::es256("1"), Signer::es256("1"));
    let token = signer.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = raw.split_at(32);
    // The same numbers as DER, which JWS does not use (RFC 7518 §3.4).
    let mut der = vec![0x30, 70, 2, 33, 0];
    der.extend(r);
    der.extend([2, 33, 0]);
    der.extend(s);
    let cases = [
        ("another key", other.token().rsplit_once('.').unwrap().1.to_owned()),
        ("r = s = 0", base64url([0; 64])),
        ("r = 0", base64url([&[0; 32], s].concat())),
        ("s = 0", base64url([r, &[0; 32]].concat())),
        ("r and s are the order or more", base64url([0xff; 64])),
        ("one octet short", base64url(&raw[..63])),
        ("one octet long", base64url([&raw[..], &[0]].concat())),
        ("leading zero in both", base64url([&[0], r, &[0], s].concat())),
        ("DER", base64url(der)),
        ("r and s exchanged", base64url([s, r].concat())),
    ];
    let verifier = signer.verifier();
    for (name, signature) in cases {
        let token = format!("{signed}.{signature}");
        assert_eq!(verify(&verifier, &token), Err(rejected(Rejected::Signature)), "{name}");
    }
}

/// SEC-24: HMAC with the public key as the secret -> rejected
#[test]
fn a_public_key_is_no_hmac_secret() {
    let signer = Signer::es256("1");
    let signed = format!(
        "{}.{}",
        base64url(r#"{"typ":"at+jwt","alg":"HS256","kid":"1"}"#),
        base64url(claims().to_string())
    );
    let secrets =
        [signer.jwk.to_string().into_bytes(), signer.jwk["x"].as_str().unwrap().as_bytes().to_vec()];
    for secret in secrets {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let token = format!("{signed}.{}", base64url(aws_lc_rs::hmac::sign(&key, signed.as_bytes())));
        assert_eq!(verify(&signer.verifier(), &token), Err(rejected(Rejected::Algorithm)));
    }
}

#[test]
fn errors_say_nothing_of_the_token() {
    let signer = Signer::es256("1");
    let header = with(signer.header(), "kid", json!("canary-7f3a"));
    let claims = with(claims(), "sub", json!("canary-7f3a"));
    let error = verify(&signer.verifier(), &signer.sign_token(&header, &claims)).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(!format!("{error} {error:?} {source} {}", error.reason()).contains("canary"));
    assert!(!error.is_transient());
    assert_eq!(error.reason(), "key_unknown");
}
