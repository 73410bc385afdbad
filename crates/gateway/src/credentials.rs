//! The token of a request, and how it came: from `Authorization` only, exactly once.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

/// The scheme of `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750.
    Bearer,
    /// RFC 9449 §7.1.
    Dpop,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// None was sent, or one of another scheme.
    Missing,
    /// The header is repeated or malformed.
    Malformed,
}

/// Finds the token (RFC 6750 §2.1, RFC 9449 §7.1). Tokens in the query or the body are not looked for.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<(Scheme, &str), NoToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(NoToken::Missing)?;
    if values.next().is_some() {
        return Err(NoToken::Malformed);
    }
    parse(value)
}

fn parse(value: &HeaderValue) -> Result<(Scheme, &str), NoToken> {
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| NoToken::Malformed)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Err(NoToken::Missing);
    };
    let token = token.trim_start_matches(' ');
    if token.is_empty() || token.len() > MAX_TOKEN || !is_token(token.as_bytes()) {
        return Err(NoToken::Malformed);
    }
    Ok((scheme, token))
}

/// Looks at every byte, without a way out in between: that is what lets the compiler look at many at once.
fn is_token(token: &[u8]) -> bool {
    token.iter().fold(true, |fits, byte| fits & is_token_byte(*byte))
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'c> = (&'c [&'c str], Result<(Scheme, &'c str), NoToken>);

    #[test]
    fn exactly_one_token_of_a_known_scheme() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN + 1));
        let cases: &[Case<'_>] = &[
            (&[], Err(NoToken::Missing)),
            (&["Basic YTpi"], Err(NoToken::Missing)),
            (&["DPoP abc"], Ok((Scheme::Dpop, "abc"))),
            (&["dpop abc"], Ok((Scheme::Dpop, "abc"))),
            (&["DPoP"], Err(NoToken::Malformed)),
            (&["DPoP a", "Bearer a"], Err(NoToken::Malformed)),
            (&["Bearer a.b-c_d~e+f/g="], Ok((Scheme::Bearer, "a.b-c_d~e+f/g="))),
            (&["bEaReR   abc"], Ok((Scheme::Bearer, "abc"))),
            (&["Bearer"], Err(NoToken::Malformed)),
            (&["Bearer "], Err(NoToken::Malformed)),
            (&["Bearer a b"], Err(NoToken::Malformed)),
            (&["Bearer a,b"], Err(NoToken::Malformed)),
            (&["Bearer a", "Bearer a"], Err(NoToken::Malformed)),
            (&["Bearer a", "Basic b"], Err(NoToken::Malformed)),
            (&[&long], Err(NoToken::Malformed)),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in *values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(credentials(&headers), *expected, "{values:?}");
        }
    }
}
