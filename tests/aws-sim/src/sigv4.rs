//! Signature Version 4 of a request's headers, verified as the service side does.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::{constant_time, digest, hmac};
use http::HeaderMap;
use http::request::Parts;
use time::OffsetDateTime;

use crate::credentials::{Credential, Keyring};

/// How far a request's date may be off.
const MAX_SKEW: Duration = Duration::from_mins(15);

/// What a request is checked against.
pub(crate) struct Verifier<'a> {
    pub(crate) keyring: &'a Keyring,
    pub(crate) regions: &'a [String],
    pub(crate) now: SystemTime,
}

/// A verified request's caller.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) credential: Arc<Credential>,
    pub(crate) region: String,
}

/// Why a request is not authenticated; each service has its own words for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// No `Authorization` header.
    Missing,
    /// A signature form this simulator does not verify: presigned, version 2, or several headers.
    Unsupported,
    /// The header cannot be read, or a mandatory part is not signed.
    Incomplete,
    /// No such access key.
    UnknownKey,
    /// The session token is missing, not wanted or another one.
    Token,
    /// The session is over.
    Expired,
    /// The scope names another region or service, or another day than the date.
    Scope,
    /// The request's date is too far from now.
    Skewed,
    /// The signature is wrong.
    Mismatch,
}

/// The two services, by their name in a credential scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Sts,
    S3,
}

impl Service {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::S3 => "s3",
        }
    }
}

struct Authorization<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl Verifier<'_> {
    /// Verifies `head`, whose body hashes to `payload_hash` as the signer declared it.
    pub(crate) fn verify(
        &self,
        head: &Parts,
        payload_hash: &str,
        service: Service,
    ) -> Result<Caller, SignatureError> {
        let query = head.uri.query().unwrap_or_default();
        if query.split('&').any(|pair| is_signature_parameter(pair.split('=').next().unwrap_or_default())) {
            return Err(SignatureError::Unsupported);
        }
        let Some(header) = single(&head.headers, "authorization")? else {
            return Err(SignatureError::Missing);
        };
        let authorization = Authorization::parse(header)?;
        let credential = self.keyring.find(authorization.access_key_id).ok_or(SignatureError::UnknownKey)?;
        self.check_token(&head.headers, &credential)?;
        let date = single(&head.headers, "x-amz-date")?.ok_or(SignatureError::Incomplete)?;
        self.check_scope(&authorization, date, service)?;
        check_signed_headers(&head.headers, &authorization)?;

        let canonical = canonical_request(head, &authorization, payload_hash)?;
        let scope =
            format!("{}/{}/{}/aws4_request", authorization.date, authorization.region, authorization.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
        let key = signing_key(&credential.secret_access_key, &authorization);
        let expected = hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
        constant_time::verify_slices_are_equal(expected.as_bytes(), authorization.signature.as_bytes())
            .map_err(|_| SignatureError::Mismatch)?;
        Ok(Caller { credential, region: authorization.region.to_owned() })
    }

    fn check_token(&self, headers: &HeaderMap, credential: &Credential) -> Result<(), SignatureError> {
        let token = single(headers, "x-amz-security-token")?;
        match (&credential.session, token) {
            (None, None) => Ok(()),
            (Some(session), Some(token)) => {
                constant_time::verify_slices_are_equal(session.token.as_bytes(), token.as_bytes())
                    .map_err(|_| SignatureError::Token)?;
                if self.keyring.is_expired(session, self.now) { Err(SignatureError::Expired) } else { Ok(()) }
            }
            _ => Err(SignatureError::Token),
        }
    }

    fn check_scope(
        &self,
        authorization: &Authorization<'_>,
        date: &str,
        service: Service,
    ) -> Result<(), SignatureError> {
        if authorization.service != service.as_str()
            || !self.regions.iter().any(|region| region == authorization.region)
            || !date.starts_with(&format!("{}T", authorization.date))
        {
            return Err(SignatureError::Scope);
        }
        let signed_at = parse_date(date).ok_or(SignatureError::Incomplete)?;
        let skew = (OffsetDateTime::from(self.now) - signed_at).unsigned_abs();
        if skew > MAX_SKEW { Err(SignatureError::Skewed) } else { Ok(()) }
    }
}

fn is_signature_parameter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["signature", "awsaccesskeyid"].contains(&name.as_str()) || name.starts_with("x-amz-")
}

/// The header's value; repeated headers and other characters than visible ASCII are refused.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, SignatureError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| SignatureError::Incomplete),
        (Some(_), Some(_)) => Err(SignatureError::Incomplete),
    }
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Result<Self, SignatureError> {
        let fields = header.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(SignatureError::Unsupported)?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let (name, value) = field.trim().split_once('=').ok_or(SignatureError::Incomplete)?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(SignatureError::Incomplete),
            };
            if slot.replace(value).is_some() {
                return Err(SignatureError::Incomplete);
            }
        }
        let (Some(credential), Some(signed_headers), Some(signature)) =
            (credential, signed_headers, signature)
        else {
            return Err(SignatureError::Incomplete);
        };
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = parts.as_slice() else {
            return Err(SignatureError::Incomplete);
        };
        let signed_headers = signed_headers.split(';').collect();
        Ok(Self { access_key_id, date, region, service, signed_headers, signature })
    }
}

/// `host` and every `x-amz-*` header must be signed; whatever is signed must be there, in order, in lower case.
fn check_signed_headers(
    headers: &HeaderMap,
    authorization: &Authorization<'_>,
) -> Result<(), SignatureError> {
    let signed = &authorization.signed_headers;
    let ordered = signed.is_sorted_by(|a, b| a < b);
    let present = signed.iter().all(|name| headers.contains_key(*name) && *name == name.to_ascii_lowercase());
    let complete = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| *name == "host" || name.starts_with("x-amz-"))
        .all(|name| signed.contains(&name));
    if ordered && present && complete && signed.contains(&"host") {
        Ok(())
    } else {
        Err(SignatureError::Incomplete)
    }
}

fn canonical_request(
    head: &Parts,
    authorization: &Authorization<'_>,
    payload_hash: &str,
) -> Result<String, SignatureError> {
    let mut text = format!("{}\n", head.method);
    text.push_str(&encode(&decode(head.uri.path()).ok_or(SignatureError::Incomplete)?, true));
    text.push('\n');

    let mut pairs = Vec::new();
    for pair in head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let canonical = |part| Some(encode(&decode(part)?, false));
        let pair = canonical(name).zip(canonical(value)).ok_or(SignatureError::Incomplete)?;
        pairs.push(pair);
    }
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    text.push_str(&pairs.join("&"));
    text.push('\n');

    for name in &authorization.signed_headers {
        let mut values = Vec::new();
        for value in head.headers.get_all(*name) {
            let value = std::str::from_utf8(value.as_bytes()).map_err(|_| SignatureError::Incomplete)?;
            values.push(value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        }
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let _ = write!(text, "\n{}\n{payload_hash}", authorization.signed_headers.join(";"));
    Ok(text)
}

fn signing_key(secret: &str, authorization: &Authorization<'_>) -> hmac::Key {
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    for part in [authorization.date, authorization.region, authorization.service, "aws4_request"] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    key
}

/// `20260131T093000Z`
fn parse_date(text: &str) -> Option<OffsetDateTime> {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    time::PrimitiveDateTime::parse(text, format).ok().map(time::PrimitiveDateTime::assume_utc)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(*byte));
            }
            b'/' if keep_slash => text.push('/'),
            other => {
                let _ = write!(text, "%{other:02X}");
            }
        }
    }
    text
}

/// The SHA-256 of `bytes` in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Tags;
    use crate::iam::Principal;

    /// The "GET Object" example of the S3 reference, "Authenticating Requests (AWS Signature Version 4)".
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SIGNED: &str = "host;range;x-amz-content-sha256;x-amz-date";
    const SIGNATURE: &str = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    const SIGNED_AT: u64 = 1_369_353_600;

    fn authorization(scope: &str, signed: &str, signature: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{scope}/aws4_request, SignedHeaders={signed}, \
             Signature={signature}"
        )
    }

    fn request(authorization: &str) -> http::request::Builder {
        http::Request::get("/test.txt")
            .header("host", "examplebucket.s3.amazonaws.com")
            .header("range", "bytes=0-9")
            .header("x-amz-content-sha256", EMPTY)
            .header("x-amz-date", "20130524T000000Z")
            .header("authorization", authorization)
    }

    fn verify_at(request: http::request::Builder, service: Service, seconds: u64) -> Option<SignatureError> {
        let keyring = Keyring::default();
        keyring.add(Credential {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            principal: Principal::user("111122223333", "example"),
            user_id: "AIDAEXAMPLE".to_owned(),
            tags: Tags::default(),
            policies: Arc::new([]),
            session: None,
        });
        let regions = ["us-east-1".to_owned()];
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let verifier = Verifier { keyring: &keyring, regions: &regions, now };
        let (head, ()) = request.body(()).unwrap().into_parts();
        verifier.verify(&head, EMPTY, service).err()
    }

    fn verify(request: http::request::Builder) -> Option<SignatureError> {
        verify_at(request, Service::S3, SIGNED_AT)
    }

    #[test]
    fn the_published_example_verifies() {
        let example = authorization("20130524/us-east-1/s3", SIGNED, SIGNATURE);
        assert_eq!(verify(request(&example)), None);
        for seconds in [SIGNED_AT - 900, SIGNED_AT + 900] {
            assert_eq!(verify_at(request(&example), Service::S3, seconds), None);
        }
    }

    #[test]
    fn every_departure_from_it_is_refused() {
        let example = authorization("20130524/us-east-1/s3", SIGNED, SIGNATURE);
        for seconds in [SIGNED_AT - 901, SIGNED_AT + 901] {
            assert_eq!(verify_at(request(&example), Service::S3, seconds), Some(SignatureError::Skewed));
        }
        assert_eq!(verify_at(request(&example), Service::Sts, SIGNED_AT), Some(SignatureError::Scope));
        for scope in
            ["20130524/us-east-1/sts", "20130524/us-west-2/s3", "20130525/us-east-1/s3", "2013/us-east-1/s3"]
        {
            let refused = verify(request(&authorization(scope, SIGNED, SIGNATURE)));
            assert_eq!(refused, Some(SignatureError::Scope), "{scope}");
        }
        let signed_headers = [
            "range;x-amz-content-sha256;x-amz-date",
            "host;range;x-amz-date",
            "host;range;x-amz-content-sha256",
            "range;host;x-amz-content-sha256;x-amz-date",
            "host;host;range;x-amz-content-sha256;x-amz-date",
            "Host;range;x-amz-content-sha256;x-amz-date",
            "host;range;x-amz-content-sha256;x-amz-date;x-none",
            "",
        ];
        for signed in signed_headers {
            let refused = verify(request(&authorization("20130524/us-east-1/s3", signed, SIGNATURE)));
            assert_eq!(refused, Some(SignatureError::Incomplete), "{signed}");
        }
        let unsigned_range =
            authorization("20130524/us-east-1/s3", "host;x-amz-content-sha256;x-amz-date", SIGNATURE);
        assert_eq!(verify(request(&unsigned_range)), Some(SignatureError::Mismatch));
        for signature in ["", "f0", &SIGNATURE.to_uppercase(), &"0".repeat(64)] {
            let refused = verify(request(&authorization("20130524/us-east-1/s3", SIGNED, signature)));
            assert_eq!(refused, Some(SignatureError::Mismatch), "{signature}");
        }
        let cases = [
            (request(&example).method("PUT"), SignatureError::Mismatch),
            (request(&example).uri("/test.txt2"), SignatureError::Mismatch),
            (request(&example).uri("/test.txt?versionId=null"), SignatureError::Mismatch),
            (request(&example).uri("/test.txt?X-Amz-Signature=x"), SignatureError::Unsupported),
            (request(&example).uri("/test.txt?Signature=x"), SignatureError::Unsupported),
            (request(&example).uri("/%zz"), SignatureError::Incomplete),
            (request(&example).header("range", "bytes=0-99"), SignatureError::Mismatch),
            (request(&example).header("x-amz-date", "20130524T000000Z"), SignatureError::Incomplete),
            (request(&example).header("x-amz-security-token", "t"), SignatureError::Token),
            (request(&example).header("authorization", &example), SignatureError::Incomplete),
            (request("AWS AKIAIOSFODNN7EXAMPLE:c2ln"), SignatureError::Unsupported),
            (request("Bearer x"), SignatureError::Unsupported),
            (request("AWS4-HMAC-SHA256 Credential=a"), SignatureError::Incomplete),
            (request(&format!("{example}, Signature={SIGNATURE}")), SignatureError::Incomplete),
            (request(&example.replace("EXAMPLE/", "EXAMPLE0/")), SignatureError::UnknownKey),
            (request(&example.replace("aws4_request", "aws5_request")), SignatureError::Incomplete),
        ];
        for (index, (request, expected)) in cases.into_iter().enumerate() {
            assert_eq!(verify(request), Some(expected), "case {index}");
        }
        assert_eq!(verify(http::Request::get("/test.txt")), Some(SignatureError::Missing));
    }

    #[test]
    fn reserved_characters_are_encoded_once() {
        assert_eq!(encode(&decode("/a%20b/%C3%BC+~c").unwrap(), true), "/a%20b/%C3%BC%2B~c");
        assert_eq!(encode(&decode("a/b").unwrap(), false), "a%2Fb");
        for broken in ["%", "%4", "%4g", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
