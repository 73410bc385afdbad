//! Admission of one JSON Web Key.

use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{KeyRefusal, VerificationKey};
use crate::algorithm::Algorithm;

const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// FIPS 186-5 §A.1.1: odd and above 2^16; more than 32 bits only makes verification slow.
const RSA_EXPONENTS: std::ops::RangeInclusive<u64> = 65_537..=0xffff_ffff;

/// Members of RFC 7518 §6.2.2, §6.3.2 and §6.4 that only a private or symmetric key has.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub(super) fn admit(key: &Value) -> Result<VerificationKey, KeyRefusal> {
    admit_as(key, None)
}

/// Admits a key that came with the algorithm it was used with: its own `alg` must say the same, if it is there.
pub(super) fn admit_for(key: &Value, used: Algorithm) -> Result<VerificationKey, KeyRefusal> {
    let key = admit_as(key, Some(used))?;
    if key.algorithm == used { Ok(key) } else { Err(KeyRefusal::Algorithm) }
}

fn admit_as(key: &Value, used: Option<Algorithm>) -> Result<VerificationKey, KeyRefusal> {
    let key = key.as_object().ok_or(KeyRefusal::NotAnObject)?;
    if let Some(name) = PRIVATE_MEMBERS.into_iter().find(|name| key.contains_key(*name)) {
        return Err(KeyRefusal::PrivateMember(name));
    }
    check_purpose(key)?;
    let key_id = text(key, "kid")?.map(str::to_owned);
    let declared = match text(key, "alg")? {
        Some(name) => Some(name.parse().map_err(|_| KeyRefusal::Algorithm)?),
        None => used,
    };
    let (algorithm, parsed) = match required(key, "kty")? {
        "RSA" => rsa(key, declared),
        "EC" => elliptic(key, declared),
        "OKP" => edwards(key, declared),
        _ => Err(KeyRefusal::KeyType),
    }?;
    Ok(VerificationKey { key_id, algorithm, parsed })
}

/// RFC 7517 §4.2 and §4.3: a key that says what it is for must say that it verifies.
fn check_purpose(key: &Map<String, Value>) -> Result<(), KeyRefusal> {
    if text(key, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyRefusal::Use);
    }
    let Some(operations) = key.get("key_ops") else { return Ok(()) };
    let operations = operations.as_array().ok_or(KeyRefusal::Member("key_ops"))?;
    let verifies = operations.iter().any(|operation| operation == "verify");
    let only_signatures = operations.iter().all(|operation| operation == "verify" || operation == "sign");
    if verifies && only_signatures { Ok(()) } else { Err(KeyRefusal::KeyOps) }
}

type Admitted = Result<(Algorithm, ParsedPublicKey), KeyRefusal>;

fn rsa(key: &Map<String, Value>, declared: Option<Algorithm>) -> Admitted {
    let algorithm = declared.unwrap_or(Algorithm::Rs256);
    let parameters = rsa_parameters(algorithm).ok_or(KeyRefusal::Algorithm)?;
    let n = unsigned(key, "n")?;
    let e = unsigned(key, "e")?;
    if !RSA_BITS.contains(&bits(&n)) {
        return Err(KeyRefusal::RsaSize);
    }
    let exponent =
        e.iter().try_fold(0_u64, |number, byte| number.checked_mul(256)?.checked_add(u64::from(*byte)));
    if !exponent.is_some_and(|exponent| RSA_EXPONENTS.contains(&exponent) && exponent % 2 == 1) {
        return Err(KeyRefusal::RsaExponent);
    }
    let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters);
    Ok((algorithm, parsed.map_err(|_| KeyRefusal::Invalid)?))
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => return None,
    })
}

fn elliptic(key: &Map<String, Value>, declared: Option<Algorithm>) -> Admitted {
    let (algorithm, coordinate, verification): (_, _, &'static dyn VerificationAlgorithm) =
        match required(key, "crv")? {
            "P-256" => (Algorithm::Es256, 32, &signature::ECDSA_P256_SHA256_FIXED),
            "P-384" => (Algorithm::Es384, 48, &signature::ECDSA_P384_SHA384_FIXED),
            "P-521" => (Algorithm::Es512, 66, &signature::ECDSA_P521_SHA512_FIXED),
            _ => return Err(KeyRefusal::Curve),
        };
    check_declared(declared, algorithm)?;
    // SEC 1 §2.3.3: the uncompressed point.
    let mut point = vec![4];
    for name in ["x", "y"] {
        point.extend(fixed(key, name, coordinate)?);
    }
    parse(algorithm, verification, &point)
}

fn edwards(key: &Map<String, Value>, declared: Option<Algorithm>) -> Admitted {
    if required(key, "crv")? != "Ed25519" {
        return Err(KeyRefusal::Curve);
    }
    check_declared(declared, Algorithm::EdDsa)?;
    parse(Algorithm::EdDsa, &signature::ED25519, &fixed(key, "x", 32)?)
}

fn check_declared(declared: Option<Algorithm>, of_curve: Algorithm) -> Result<(), KeyRefusal> {
    match declared {
        Some(declared) if declared != of_curve => Err(KeyRefusal::Curve),
        Some(_) | None => Ok(()),
    }
}

fn parse(algorithm: Algorithm, verification: &'static dyn VerificationAlgorithm, public: &[u8]) -> Admitted {
    let parsed = ParsedPublicKey::new(verification, public).map_err(|_| KeyRefusal::Invalid)?;
    Ok((algorithm, parsed))
}

fn text<'k>(key: &'k Map<String, Value>, name: &'static str) -> Result<Option<&'k str>, KeyRefusal> {
    match key.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyRefusal::Member(name)),
    }
}

fn required<'k>(key: &'k Map<String, Value>, name: &'static str) -> Result<&'k str, KeyRefusal> {
    text(key, name)?.ok_or(KeyRefusal::Member(name))
}

fn octets(key: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyRefusal> {
    URL_SAFE_NO_PAD.decode(required(key, name)?).map_err(|_| KeyRefusal::Member(name))
}

/// RFC 7518 §6.2.1.2: a coordinate has the full length of its field.
fn fixed(key: &Map<String, Value>, name: &'static str, length: usize) -> Result<Vec<u8>, KeyRefusal> {
    octets(key, name)
        .and_then(|octets| if octets.len() == length { Ok(octets) } else { Err(KeyRefusal::Member(name)) })
}

/// `Base64urlUInt` of RFC 7518 §2: the fewest octets that hold the number, so no leading zero.
fn unsigned(key: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyRefusal> {
    let octets = octets(key, name)?;
    if octets.first().is_none_or(|first| *first == 0) { Err(KeyRefusal::Member(name)) } else { Ok(octets) }
}

/// The length of a big-endian number without leading zero octets, in bits.
fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros() as usize);
    number.len() * 8 - unused
}
