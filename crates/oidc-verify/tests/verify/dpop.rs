//! Proofs that are right but for one thing, each with the reason that must be given (SEC-30 to SEC-32).

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, signature};
use oidc_verify::{
    Algorithm, DPOP_ALGORITHMS, DPOP_MAX_PROOF_BYTES, DpopCall, DpopError, DpopNonces, DpopProof, DpopServer,
    DpopUrl, DpopWindow, KeyRefusal, KeyThumbprint, Malformed, NonceRule, Part, verify_dpop,
};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::signer::{Signer, base64url, now, private_scalar};

const URL: &str = "https://connect.example.com/mcp/platform/mcp";
const TOKEN: &str = "an.access.token";
const IAT: u64 = 1_800_000_000;

/// What a proof is checked against; a test changes one thing.
struct Called {
    method: &'static str,
    url: DpopUrl,
    now: SystemTime,
    nonces: DpopNonces,
    is_nonce_required: bool,
    access_token: Option<&'static str>,
    thumbprint: Option<KeyThumbprint>,
}

impl Called {
    fn new() -> Self {
        Self {
            method: "POST",
            url: DpopUrl::parse(URL).unwrap(),
            now: now(),
            nonces: DpopNonces::new(&[7; 32], DpopServer::Resource, NonZeroU32::new(300).unwrap()),
            is_nonce_required: false,
            access_token: Some(TOKEN),
            thumbprint: None,
        }
    }

    fn verify(&self, proof: &str) -> Result<DpopProof, DpopError> {
        self.verify_all(&[proof.as_bytes()])
    }

    fn verify_all(&self, headers: &[&[u8]]) -> Result<DpopProof, DpopError> {
        let rule = if self.is_nonce_required { NonceRule::Required } else { NonceRule::Optional };
        let call = DpopCall {
            method: self.method,
            url: &self.url,
            now: self.now,
            window: DpopWindow::default(),
            nonces: rule(&self.nonces),
            access_token: self.access_token,
            thumbprint: self.thumbprint,
        };
        verify_dpop(headers.iter().copied(), &call)
    }
}

fn header(signer: &Signer) -> Value {
    json!({ "typ": "dpop+jwt", "alg": signer.algorithm.name(), "jwk": signer.jwk })
}

fn hash(token: &str) -> String {
    base64url(digest::digest(&digest::SHA256, token.as_bytes()))
}

fn claims() -> Value {
    json!({ "jti": "j-1", "htm": "POST", "htu": URL, "iat": IAT, "ath": hash(TOKEN) })
}

fn proof(signer: &Signer) -> String {
    signer.sign_token(&header(signer), &claims())
}

/// The same with one member changed, or removed when `null`.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value;
    }
    object
}

fn signers() -> Vec<Signer> {
    vec![
        Signer::es256("1"),
        Signer::elliptic("1", Algorithm::Es384, "P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Signer::eddsa("1"),
        Signer::rsa("1", Algorithm::Rs256, &signature::RSA_PKCS1_SHA256),
        Signer::rsa("1", Algorithm::Ps256, &signature::RSA_PSS_SHA256),
    ]
}

#[test]
fn a_right_proof_of_every_algorithm_passes() {
    let mut thumbprints = Vec::new();
    for signer in signers() {
        assert!(DPOP_ALGORITHMS.contains(&signer.algorithm.name()));
        // Clients leave out what a proof's key does not need.
        let bare =
            ["kid", "use", "alg"].iter().fold(signer.jwk.clone(), |key, name| with(key, name, Value::Null));
        let proof = signer.sign_token(&with(header(&signer), "jwk", bare), &claims());
        let called = Called::new();
        let passed = called.verify(&proof).unwrap();
        assert_eq!((passed.jwt_id(), passed.issued_at()), ("j-1", now()));
        assert_eq!(passed.expires_at(), now() + Duration::from_secs(65));
        assert_eq!(called.verify(&self::proof(&signer)).unwrap().thumbprint(), passed.thumbprint());
        let bound = Called { thumbprint: Some(passed.thumbprint()), ..Called::new() };
        assert_eq!(bound.verify(&proof).as_ref(), Ok(&passed));
        thumbprints.push(passed.thumbprint());
    }
    thumbprints.dedup();
    assert_eq!(thumbprints.len(), 5);
}

/// The proofs of RFC 9449 §4.1 and §7.1: ES256, for a token request and for a call.
#[test]
fn the_examples_of_the_standard_pass() {
    const KEY: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
    let jkt: KeyThumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap();
    let at_token = format!(
        "{KEY}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    );
    let called = Called {
        url: DpopUrl::parse("https://server.example.com/token").unwrap(),
        now: UNIX_EPOCH + Duration::from_secs(1_562_262_616),
        access_token: None,
        thumbprint: Some(jkt),
        ..Called::new()
    };
    assert_eq!(called.verify(&at_token).unwrap().jwt_id(), "-BwC3ESc6acc2lTc");
    let at_resource = format!(
        "{KEY}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    );
    let called = Called {
        method: "GET",
        url: DpopUrl::parse("https://resource.example.org/protectedresource").unwrap(),
        access_token: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        now: UNIX_EPOCH + Duration::from_secs(1_562_262_618),
        ..called
    };
    assert_eq!(called.verify(&at_resource).unwrap().thumbprint(), jkt);
}

/// SEC-30: no proof, or more than one header -> refused
/// SEC-31: proofs joined by a comma -> refused
#[test]
fn exactly_one_header_with_one_proof() {
    let proof = proof(&Signer::es256("1"));
    let (called, one) = (Called::new(), proof.as_bytes());
    let joined = format!("{proof}, {proof}");
    let cases: &[(&[&[u8]], DpopError)] = &[
        (&[], DpopError::Missing),
        (&[one, one], DpopError::Several),
        (&[one, b""], DpopError::Several),
        (&[joined.as_bytes()], DpopError::Several),
        (&[b","], DpopError::Several),
        (&[b""], DpopError::Malformed(Malformed::Parts)),
        (&[b"\xff"], DpopError::NotText),
        (&[&vec![b'a'; DPOP_MAX_PROOF_BYTES + 1]], DpopError::TooLong),
    ];
    for (headers, expected) in cases {
        assert_eq!(called.verify_all(headers).as_ref(), Err(expected));
    }
    assert!(called.verify(&proof).is_ok());
}

/// SEC-30: a header member of the proof missing, of another type or value, `none`, HMAC, a private key -> refused
#[test]
fn one_wrong_header_member_is_enough() {
    let signer = Signer::es256("1");
    let rsa = Signer::rsa("1", Algorithm::Rs256, &signature::RSA_PKCS1_SHA256);
    let with_private = with(signer.jwk.clone(), "d", json!(private_scalar()));
    let of_another_use = with(signer.jwk.clone(), "use", json!("enc"));
    let small = with(rsa.jwk.clone(), "n", json!(base64url([0xff; 128])));
    let header_with = |name, value| with(header(&signer), name, value);
    let cases = [
        (header_with("typ", json!(null)), DpopError::Header("typ")),
        (header_with("typ", json!(1)), DpopError::Header("typ")),
        (header_with("typ", json!("JWT")), DpopError::Type),
        (header_with("typ", json!("at+jwt")), DpopError::Type),
        (header_with("typ", json!("DPOP+JWT")), DpopError::Type),
        (header_with("alg", json!(null)), DpopError::Header("alg")),
        (header_with("alg", json!(["ES256"])), DpopError::Header("alg")),
        (header_with("alg", json!("none")), DpopError::Algorithm),
        (header_with("alg", json!("nOnE")), DpopError::Algorithm),
        (header_with("alg", json!("")), DpopError::Algorithm),
        (header_with("alg", json!("HS256")), DpopError::Algorithm),
        (header_with("alg", json!("ES512")), DpopError::Algorithm),
        (header_with("alg", json!("es256")), DpopError::Algorithm),
        (header_with("alg", json!("ES384")), DpopError::Key(KeyRefusal::Algorithm)),
        (header_with("alg", json!("RS256")), DpopError::Key(KeyRefusal::Algorithm)),
        (header_with("jwk", json!(null)), DpopError::Header("jwk")),
        (header_with("jwk", json!("key")), DpopError::Key(KeyRefusal::NotAnObject)),
        (header_with("jwk", json!({})), DpopError::Key(KeyRefusal::Member("kty"))),
        (header_with("jwk", with_private), DpopError::Key(KeyRefusal::PrivateMember("d"))),
        (
            header_with("jwk", json!({ "kty": "oct", "k": "c2VjcmV0" })),
            DpopError::Key(KeyRefusal::PrivateMember("k")),
        ),
        (header_with("jwk", of_another_use), DpopError::Key(KeyRefusal::Use)),
        (header_with("jwk", rsa.jwk.clone()), DpopError::Key(KeyRefusal::Algorithm)),
        (header_with("jwk", Signer::es256("1").jwk), DpopError::Signature),
        (with(header(&rsa), "jwk", small), DpopError::Key(KeyRefusal::RsaSize)),
        (header_with("crit", json!(["exp"])), DpopError::Extension("crit")),
        (header_with("crit", json!([])), DpopError::Extension("crit")),
        (header_with("b64", json!(false)), DpopError::Extension("b64")),
        (header_with("zip", json!("DEF")), DpopError::Extension("zip")),
    ];
    let called = Called::new();
    for (header, expected) in cases {
        assert_eq!(called.verify(&signer.sign_token(&header, &claims())), Err(expected), "{header}");
        assert!(expected.reason().starts_with("dpop_") && !expected.to_string().is_empty());
    }
    // Keys that are only pointed at are not looked for.
    let pointed = with(with(header(&signer), "jku", json!("https://evil.example/")), "kid", json!("../x"));
    assert!(called.verify(&signer.sign_token(&pointed, &claims())).is_ok());
}

/// SEC-30: a claim of the proof missing or wrong: `jti`, `htm`, `htu`, `iat`, `ath` -> refused
#[test]
fn one_wrong_claim_is_enough() {
    let signer = Signer::es256("1");
    let cases = [
        ("jti", json!(null), DpopError::Claim("jti")),
        ("jti", json!(""), DpopError::Claim("jti")),
        ("jti", json!(1), DpopError::Claim("jti")),
        ("jti", json!("j".repeat(257)), DpopError::Claim("jti")),
        ("htm", json!(null), DpopError::Claim("htm")),
        ("htm", json!(["POST"]), DpopError::Claim("htm")),
        ("htm", json!("GET"), DpopError::Method),
        ("htm", json!("post"), DpopError::Method),
        ("htu", json!(null), DpopError::Claim("htu")),
        ("htu", json!(7), DpopError::Claim("htu")),
        ("htu", json!("/mcp/platform/mcp"), DpopError::Claim("htu")),
        ("iat", json!(null), DpopError::Claim("iat")),
        ("iat", json!("1800000000"), DpopError::Claim("iat")),
        ("iat", json!(-1), DpopError::Claim("iat")),
        ("iat", json!(1e300), DpopError::Claim("iat")),
        ("exp", json!("never"), DpopError::Claim("exp")),
        ("exp", json!(IAT), DpopError::Old),
        ("nbf", json!(IAT + 6), DpopError::Ahead),
        ("ath", json!(null), DpopError::Claim("ath")),
        ("ath", json!(hash("another.token")), DpopError::AccessToken),
        ("ath", json!(TOKEN), DpopError::AccessToken),
        ("ath", json!(format!("{}=", hash(TOKEN))), DpopError::AccessToken),
        ("nonce", json!(1), DpopError::Claim("nonce")),
        ("nonce", json!("n".repeat(257)), DpopError::Claim("nonce")),
        ("nonce", json!(""), DpopError::Nonce),
        ("nonce", json!("of somebody else"), DpopError::Nonce),
    ];
    let called = Called::new();
    for (name, value, expected) in cases {
        let proof = signer.sign_token(&header(&signer), &with(claims(), name, value.clone()));
        assert_eq!(called.verify(&proof), Err(expected), "{name}: {value}");
    }
    let more = with(with(claims(), "exp", json!(IAT + 1)), "nbf", json!(IAT));
    assert!(called.verify(&signer.sign_token(&header(&signer), &more)).is_ok());
}

/// SEC-31: an `htu` of another host, port, path or scheme, whatever the request's query -> refused
#[test]
fn the_url_counts_and_its_spelling_does_not() {
    let signer = Signer::es256("1");
    let cases = [
        (URL, true),
        ("https://CONNECT.example.com:443/mcp/platform/mcp?a=b#c", true),
        ("HTTPS://connect.example.com/mcp/x/../%70latform/mcp", true),
        ("https://connect.example.com/mcp/platform", false),
        ("https://connect.example.com/mcp/platform/mcp/", false),
        ("https://connect.example.com/MCP/platform/mcp", false),
        ("https://connect.example.com:8443/mcp/platform/mcp", false),
        ("http://connect.example.com/mcp/platform/mcp", false),
        ("https://connect.example.com./mcp/platform/mcp", false),
        ("https://internal.example/mcp/platform/mcp", false),
    ];
    for (url, passes) in cases {
        let proof = signer.sign_token(&header(&signer), &with(claims(), "htu", json!(url)));
        let expected = if passes { Ok(()) } else { Err(DpopError::Url) };
        assert_eq!(Called::new().verify(&proof).map(drop), expected, "{url}");
    }
}

/// SEC-30: a proof of 60 s ago or of more than 5 s ahead -> refused
#[test]
fn the_window_is_a_minute_back_and_five_seconds_ahead() {
    let signer = Signer::es256("1");
    let cases = [
        (json!(IAT), Ok(())),
        (json!(IAT - 59), Ok(())),
        (json!(IAT - 60), Err(DpopError::Old)),
        (json!(IAT + 5), Ok(())),
        (json!(IAT + 6), Err(DpopError::Ahead)),
        (json!(0.5), Err(DpopError::Old)),
        (json!(1_800_000_000.5), Ok(())),
    ];
    for (iat, expected) in cases {
        let proof = signer.sign_token(&header(&signer), &with(claims(), "iat", iat.clone()));
        assert_eq!(Called::new().verify(&proof).map(drop), expected, "{iat}");
    }
    let late = Called { now: now() + Duration::from_secs(65), ..Called::new() };
    let last = signer.sign_token(&header(&signer), &with(claims(), "iat", json!(IAT + 5)));
    let kept_until = Called::new().verify(&last).unwrap().expires_at();
    assert_eq!(late.verify(&last), Err(DpopError::Old), "no proof outlives what is kept about it");
    assert!(kept_until >= late.now);
}

/// SEC-32: no nonce where one is demanded, an old one, one of the other server -> refused, with the nonce's own reason
#[test]
fn nonces_are_ours_and_recent() {
    let signer = Signer::es256("1");
    let demanding = Called { is_nonce_required: true, ..Called::new() };
    let other = DpopNonces::new(&[7; 32], DpopServer::Authorization, NonZeroU32::new(300).unwrap());
    let ago = |seconds| now() - Duration::from_secs(seconds);
    let cases = [
        (demanding.nonces.current(now()), Ok(())),
        (demanding.nonces.current(ago(300)), Ok(())),
        (demanding.nonces.current(ago(600)), Err(DpopError::Nonce)),
        (other.current(now()), Err(DpopError::Nonce)),
    ];
    for (nonce, expected) in cases {
        let proof = signer.sign_token(&header(&signer), &with(claims(), "nonce", json!(nonce)));
        assert_eq!(demanding.verify(&proof).map(drop), expected);
        assert_eq!(Called::new().verify(&proof).map(drop), expected, "optional is not ignored");
    }
    assert_eq!(demanding.verify(&proof(&signer)), Err(DpopError::Nonce));
    assert_eq!(DpopError::Nonce.reason(), "dpop_nonce");
}

/// SEC-30: a right proof by another key than the bound one -> refused
#[test]
fn another_key_is_refused() {
    let (ours, thief) = (Signer::es256("1"), Signer::es256("1"));
    let jkt = Called::new().verify(&proof(&ours)).unwrap().thumbprint();
    let bound = Called { thumbprint: Some(jkt), ..Called::new() };
    assert!(bound.verify(&proof(&ours)).is_ok());
    assert_eq!(bound.verify(&proof(&thief)), Err(DpopError::OtherKey));
    // The right key in the header does not help without its private half.
    let forged = thief.sign_token(&header(&ours), &claims());
    assert_eq!(bound.verify(&forged), Err(DpopError::Signature));
}

/// SEC-30: a proof with a member twice, with padding, in another serialisation, too deep -> refused
#[test]
fn tricks_of_the_serialisation_do_not_pass() {
    let signer = Signer::es256("1");
    let (header, claims) = (header(&signer).to_string(), claims().to_string());
    let twice = |object: &str, member: &str| format!("{},{member}}}", object.strip_suffix('}').unwrap());
    let good = signer.sign_text(&header, &claims);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(20), "]".repeat(20));
    let cases = [
        (
            signer.sign_text(&twice(&header, "\"alg\":\"ES256\""), &claims),
            Malformed::DuplicateMember(Part::Header),
        ),
        (signer.sign_text(&twice(&header, "\"jwk\":{}"), &claims), Malformed::DuplicateMember(Part::Header)),
        (
            signer.sign_text(&header, &twice(&claims, "\"htm\":\"POST\"")),
            Malformed::DuplicateMember(Part::Claims),
        ),
        (signer.sign_text(&header, "[]"), Malformed::NotAnObject(Part::Claims)),
        (signer.sign_text(&header, &deep), Malformed::TooDeep(Part::Claims)),
        (format!("{good}="), Malformed::Encoding(Part::Signature)),
        (format!(" {good}"), Malformed::Encoding(Part::Header)),
        (format!("{good}.x"), Malformed::Parts),
        ("{\"payload\":\"\"}".to_owned(), Malformed::Parts),
    ];
    for (proof, expected) in cases {
        assert_eq!(Called::new().verify(&proof), Err(DpopError::Malformed(expected)), "{proof}");
    }
    let unsigned = good.rsplit_once('.').unwrap().0;
    assert_eq!(Called::new().verify(&format!("{unsigned}.")), Err(DpopError::Signature));
}

#[test]
fn the_replay_key_is_of_key_identifier_and_url() {
    let (one, other) = (Signer::es256("1"), Signer::es256("1"));
    let key = |signer: &Signer, claims: &Value, url: &str| {
        let called = Called { url: DpopUrl::parse(url).unwrap(), ..Called::new() };
        called
            .verify(&signer.sign_token(&header(signer), &with(claims.clone(), "htu", json!(url))))
            .unwrap()
            .replay_key()
    };
    let first = key(&one, &claims(), URL);
    assert_eq!(
        first,
        key(&one, &with(claims(), "iat", json!(IAT - 1)), URL),
        "a later time does not make it new"
    );
    let others = [
        key(&other, &claims(), URL),
        key(&one, &with(claims(), "jti", json!("j-2")), URL),
        key(&one, &claims(), "https://connect.example.com/mcp/platform"),
    ];
    assert!(!others.contains(&first));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_changed_proof_passes(at: Index, character in "[A-Za-z0-9_.=-]", which in 0_usize..2) {
        static VALID: std::sync::LazyLock<[String; 2]> =
            std::sync::LazyLock::new(|| [proof(&Signer::es256("1")), proof(&Signer::eddsa("1"))]);
        let proof = &VALID[which];
        let mut changed = proof.clone();
        let at = at.index(proof.len());
        changed.replace_range(at..=at, &character);
        prop_assume!(changed != *proof);
        prop_assert!(Called::new().verify(&changed).is_err(), "{}", changed);
    }

    #[test]
    fn arbitrary_bytes_never_pass(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Called::new().verify_all(&[&bytes]).is_err());
    }
}
