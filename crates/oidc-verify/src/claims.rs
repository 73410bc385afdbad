//! The checks of RFC 7519 §4.1, RFC 9068 §4 and OpenID Connect Core §3.1.3.7 on claims whose signature is good.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::config::IssuerConfig;
use crate::error::Rejected;
use crate::token::VerifiedToken;

/// The last second of the year 9999.
const LATEST_DATE: f64 = 253_402_300_799.0;

/// Checks every claim and takes out what callers ask for.
pub(crate) fn check(
    config: &IssuerConfig,
    claims: Map<String, Value>,
    now: SystemTime,
    keys_good_until: SystemTime,
) -> Result<VerifiedToken, Rejected> {
    check_required(config, &claims)?;
    check_issuer(config, &claims)?;
    let audience = matched_audience(config, &claims)?.to_owned();
    check_authorized_party(config, &claims)?;
    let (issued_at, expires_at) = check_times(config, &claims, now)?;
    let subject = text(&claims, "sub")?.filter(|subject| !subject.is_empty());
    let client_id = match text(&claims, "client_id")? {
        Some(client_id) => Some(client_id),
        None => text(&claims, "azp")?,
    };
    Ok(VerifiedToken {
        issuer: config.issuer.clone(),
        subject: subject.ok_or(Rejected::InvalidClaim("sub"))?.to_owned(),
        audience,
        tenant: tenant(config, &claims)?,
        client_id: client_id.map(str::to_owned),
        scopes: scopes(&claims)?,
        jwt_id: text(&claims, "jti")?.map(str::to_owned),
        expires_at,
        issued_at,
        recheck_at: expires_at.min(keys_good_until),
        claims,
    })
}

/// `iss` compared as written, without normalisation.
pub(crate) fn check_issuer(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<(), Rejected> {
    if unverified_issuer(claims)? == config.issuer { Ok(()) } else { Err(Rejected::Issuer) }
}

/// The issuer that a token claims, to choose whose keys to verify it with.
pub(crate) fn unverified_issuer(claims: &Map<String, Value>) -> Result<&str, Rejected> {
    text(claims, "iss")?.ok_or_else(|| Rejected::MissingClaim("iss".to_owned()))
}

fn check_required(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<(), Rejected> {
    let missing = config.required_claims.iter().find(|name| claims.get(*name).is_none_or(Value::is_null));
    missing.map_or(Ok(()), |name| Err(Rejected::MissingClaim(name.clone())))
}

/// RFC 7519 §4.1.3: a string or an array of strings; one of ours must be among them.
fn matched_audience<'c>(config: &'c IssuerConfig, claims: &Map<String, Value>) -> Result<&'c str, Rejected> {
    let named: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => {
            let several: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
            several.ok_or(Rejected::InvalidClaim("aud"))?
        }
        _ => return Err(Rejected::InvalidClaim("aud")),
    };
    let ours = config.audiences.iter().find(|ours| named.contains(&ours.as_str()));
    ours.map(String::as_str).ok_or(Rejected::Audience)
}

fn check_authorized_party(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<(), Rejected> {
    if config.authorized_parties.is_empty() {
        return Ok(());
    }
    match text(claims, "azp")? {
        Some(party) if config.authorized_parties.iter().any(|allowed| allowed == party) => Ok(()),
        Some(_) | None => Err(Rejected::AuthorizedParty),
    }
}

/// `iat` and `exp`, when `now` is within them and after `nbf`. Fractions count against the token.
fn check_times(
    config: &IssuerConfig,
    claims: &Map<String, Value>,
    now: SystemTime,
) -> Result<(SystemTime, SystemTime), Rejected> {
    let expires_at = date(claims, "exp", f64::floor)?.ok_or(Rejected::InvalidClaim("exp"))?;
    let issued_at = date(claims, "iat", f64::ceil)?.ok_or(Rejected::InvalidClaim("iat"))?;
    let not_before = date(claims, "nbf", f64::ceil)?;
    if now >= expires_at + config.leeway {
        return Err(Rejected::Expired);
    }
    if not_before.unwrap_or(issued_at).max(issued_at) > now + config.leeway {
        return Err(Rejected::NotYetValid);
    }
    Ok((issued_at, expires_at))
}

/// A `NumericDate` of RFC 7519 §2: a JSON number from 1970 to 9999.
pub(crate) fn date(
    claims: &Map<String, Value>,
    name: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<SystemTime>, Rejected> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..=LATEST_DATE).contains(seconds));
    let seconds = seconds.ok_or(Rejected::InvalidClaim(name))?;
    Ok(Some(UNIX_EPOCH + Duration::from_secs_f64(round(seconds))))
}

fn tenant(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<Option<String>, Rejected> {
    match config.tenant_claim.as_deref().and_then(|pointer| at_pointer(claims, pointer)) {
        None => Ok(None),
        Some(Value::String(tenant)) if !tenant.is_empty() => Ok(Some(tenant.clone())),
        Some(_) => Err(Rejected::InvalidClaim("tenant")),
    }
}

/// RFC 6901 §4 below a map, which `serde_json` offers only on a `Value`.
fn at_pointer<'c>(claims: &'c Map<String, Value>, pointer: &str) -> Option<&'c Value> {
    let (name, rest) = match pointer.strip_prefix('/')?.split_once('/') {
        Some((name, _)) => (name, pointer.get(name.len() + 1..)?),
        None => (pointer.strip_prefix('/')?, ""),
    };
    claims.get(&name.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
}

fn scopes(claims: &Map<String, Value>) -> Result<Vec<String>, Rejected> {
    let (name, value) = match (claims.get("scope"), claims.get("scp")) {
        (Some(value), _) => ("scope", value),
        (None, Some(value)) => ("scp", value),
        (None, None) => return Ok(Vec::new()),
    };
    let scopes: Option<Vec<String>> = match value {
        Value::String(list) => {
            Some(list.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
        }
        Value::Array(list) => list.iter().map(|scope| scope.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    scopes.ok_or(Rejected::InvalidClaim(name))
}

pub(crate) fn text<'c>(
    claims: &'c Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'c str>, Rejected> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Rejected::InvalidClaim(name)),
    }
}
