//! The compact form of a JWS, read strictly and not yet believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::error::{Malformed, Part, Rejected, VerifyError};
use crate::json::parse_object;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The three parts of the compact form, decoded and not believed.
pub(crate) struct Compact<'t> {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) signed: &'t [u8],
    pub(crate) signature: Vec<u8>,
}

/// A token whose signature has not been checked.
pub(crate) struct UnverifiedToken<'t> {
    pub(crate) header: Header,
    pub(crate) claims: Map<String, Value>,
    pub(crate) signed: &'t [u8],
    pub(crate) signature: Vec<u8>,
}

/// The header members that matter.
///
/// `jku`, `jwk`, `x5u` and `x5c` are not among them: a token does not choose its key (RFC 8725 §3.10).
pub(crate) struct Header {
    pub(crate) algorithm: String,
    pub(crate) key_id: Option<String>,
    pub(crate) token_type: Option<String>,
}

impl<'t> Compact<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, Malformed> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Malformed::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(Malformed::Parts)?;
        if claims.contains('.') {
            return Err(Malformed::Parts);
        }
        let header = object(header, Part::Header)?;
        let claims = object(claims, Part::Claims)?;
        let signature = decode(signature, Part::Signature)?;
        Ok(Self { header, claims, signed: signed.as_bytes(), signature })
    }

    /// RFC 7515 §4.1.11: no extension is understood here, so any `crit` is a refusal; `b64` (RFC 7797) and `zip` would
    /// change what was signed. Gives the first such member.
    pub(crate) fn extension(&self) -> Option<&'static str> {
        ["crit", "b64", "zip"].into_iter().find(|name| self.header.contains_key(*name))
    }
}

impl<'t> UnverifiedToken<'t> {
    pub(crate) fn parse(token: &'t str) -> Result<Self, VerifyError> {
        let compact = Compact::parse(token)?;
        if let Some(name) = compact.extension() {
            return Err(Rejected::HeaderMember(name).into());
        }
        let Compact { header, claims, signed, signature } = compact;
        Ok(Self { header: Header::read(header)?, claims, signed, signature })
    }
}

impl Header {
    fn read(mut members: Map<String, Value>) -> Result<Self, Malformed> {
        let mut text = |name: &'static str| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Malformed::HeaderMember(name)),
        };
        Ok(Self {
            algorithm: text("alg")?.ok_or(Malformed::HeaderMember("alg"))?,
            key_id: text("kid")?,
            token_type: text("typ")?,
        })
    }
}

fn object(part: &str, name: Part) -> Result<Map<String, Value>, Malformed> {
    parse_object(&decode(part, name)?).map_err(|error| Malformed::json(name, error))
}

/// Unpadded base64url, one spelling for each value: padding, whitespace, other alphabets and loose bits are refused.
fn decode(part: &str, name: Part) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::Encoding(name))
}
