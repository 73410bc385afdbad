//! RFC 7638 thumbprints of public keys.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The SHA-256 thumbprint of a public key (RFC 7638), the value of `jkt`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyThumbprint([u8; 32]);

/// The text is not the unpadded base64url form of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the base64url form of a SHA-256 key thumbprint, 43 characters")]
pub struct NotAThumbprint;

impl KeyThumbprint {
    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of a key that was admitted: that gave each member its one possible spelling.
    pub(super) fn of_admitted(key: &Value) -> Option<Self> {
        let member = |name: &str| key.get(name).and_then(Value::as_str);
        let kind = member("kty")?;
        // RFC 7638 §3.2: the members that make up the key, sorted by name, as `json!` writes them.
        let required = match kind {
            "EC" => json!({ "crv": member("crv")?, "kty": kind, "x": member("x")?, "y": member("y")? }),
            "OKP" => json!({ "crv": member("crv")?, "kty": kind, "x": member("x")? }),
            "RSA" => json!({ "e": member("e")?, "kty": kind, "n": member("n")? }),
            _ => return None,
        };
        digest(&SHA256, required.to_string().as_bytes()).as_ref().try_into().ok().map(Self)
    }
}

impl FromStr for KeyThumbprint {
    type Err = NotAThumbprint;

    fn from_str(text: &str) -> Result<Self, NotAThumbprint> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAThumbprint)?;
        bytes.try_into().map(Self).map_err(|_| NotAThumbprint)
    }
}

impl fmt::Display for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyThumbprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyThumbprint, NotAThumbprint};
    use serde_json::json;

    #[test]
    fn the_examples_of_the_standards() {
        // RFC 7638 §3.1, RFC 8037 §A.3, and the key of RFC 9449 with the `jkt` of its §6.1.
        let rsa = json!({
            "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        });
        let ed25519 =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let p256 = json!({
            "kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        let cases = [
            (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
            (p256, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        ];
        for (key, expected) in cases {
            let thumbprint = KeyThumbprint::of_admitted(&key).unwrap();
            assert_eq!(thumbprint.to_string(), expected);
            assert_eq!(expected.parse(), Ok(thumbprint));
        }
    }

    #[test]
    fn other_texts_are_no_thumbprints() {
        let good = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let spoilt = [
            String::new(),
            good.replace('I', "J"),
            format!("{good}="),
            format!("{good}A"),
            format!(" {good}"),
            good.replace('-', "+"),
            good.chars().skip(1).collect(),
        ];
        for text in spoilt {
            assert_eq!(text.parse::<KeyThumbprint>(), Err(NotAThumbprint), "{text:?}");
        }
    }
}
