//! For how long an answer may be kept (RFC 9111 §4.2).

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderMap, HeaderName};

/// The lifetime that `headers` give an answer received at `now`, within `bounds`. An answer that says nothing, or must
/// not be kept, gets the lower bound.
pub(crate) fn lifetime(headers: &HeaderMap, now: SystemTime, bounds: &RangeInclusive<Duration>) -> Duration {
    let stated = stated_lifetime(headers, now).unwrap_or_default();
    stated.saturating_sub(age(headers)).min(*bounds.end()).max(*bounds.start())
}

fn stated_lifetime(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let mut max_age = None;
    let mut shared_max_age = None;
    for directive in
        headers.get_all(CACHE_CONTROL).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
    {
        // What is not text says nothing that could be relied on.
        let directive = std::str::from_utf8(directive).unwrap_or("no-store").trim();
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" | "private" => return None,
            "max-age" => shortest(&mut max_age, value),
            "s-maxage" => shortest(&mut shared_max_age, value),
            _ => {}
        }
    }
    shared_max_age.or(max_age).or_else(|| until_expiry(headers, now))
}

/// Of several statements the shortest counts, and one that cannot be read means at once (RFC 9111 §4.2.1).
fn shortest(found: &mut Option<Duration>, value: &str) {
    let value = seconds(value.trim().trim_matches('"')).unwrap_or_default();
    *found = Some(found.map_or(value, |found| found.min(value)));
}

fn until_expiry(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = |name: HeaderName| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    date(EXPIRES)?.duration_since(date(DATE).unwrap_or(now)).ok()
}

/// How long the answer has been under way in caches. A statement that cannot be read is passed over (RFC 9111 §5.1).
fn age(headers: &HeaderMap) -> Duration {
    let stated = headers.get(AGE).and_then(|age| age.to_str().ok()).and_then(|age| seconds(age.trim()));
    stated.unwrap_or_default()
}

fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number too large to be kept means forever (RFC 9111 §1.2.2).
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::lifetime;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use proptest::prelude::*;
    use std::ops::RangeInclusive;
    use std::time::{Duration, SystemTime};

    const MIN: u64 = 60;
    const MAX: u64 = 3600;
    const BOUNDS: RangeInclusive<Duration> = Duration::from_secs(MIN)..=Duration::from_secs(MAX);
    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: u64 = 784_111_777;

    fn of(headers: &[(&'static str, &str)]) -> u64 {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            })
            .collect();
        lifetime(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW), &BOUNDS).as_secs()
    }

    #[test]
    fn headers_are_honoured_within_the_bounds() {
        let cases: [(&[(&str, &str)], u64); 27] = [
            (&[], MIN),
            (&[("cache-control", "max-age=600")], 600),
            (&[("cache-control", "public, Max-Age=600, must-revalidate")], 600),
            (&[("cache-control", "max-age=\"600\"")], 600),
            (&[("cache-control", "max-age=1")], MIN),
            (&[("cache-control", "max-age=0")], MIN),
            (&[("cache-control", "max-age=86400")], MAX),
            (&[("cache-control", "max-age=99999999999999999999999")], MAX),
            (&[("cache-control", "max-age=600, max-age=300")], 300),
            (&[("cache-control", "max-age=600"), ("cache-control", "max-age=300")], 300),
            (&[("cache-control", "max-age=-1")], MIN),
            (&[("cache-control", "max-age=600s")], MIN),
            (&[("cache-control", "max-age")], MIN),
            (&[("cache-control", "max-age=600, s-maxage=120")], 120),
            (&[("cache-control", "max-age=120, s-maxage=600")], 600),
            (&[("cache-control", "max-age=600, no-store")], MIN),
            (&[("cache-control", "max-age=600"), ("cache-control", "no-cache")], MIN),
            (&[("cache-control", "private=\"set-cookie\", max-age=600")], MIN),
            (&[("cache-control", "max-age=600, \u{e9}")], 600),
            (&[("cache-control", "max-age=600"), ("age", "100")], 500),
            (&[("cache-control", "max-age=600"), ("age", "700")], MIN),
            (&[("cache-control", "max-age=600"), ("age", "soon")], 600),
            (&[("expires", "Sun, 06 Nov 1994 08:59:37 GMT")], 600),
            (&[("expires", "Sun, 06 Nov 1994 08:59:37 GMT"), ("date", "Sun, 06 Nov 1994 08:54:37 GMT")], 300),
            (&[("expires", "0")], MIN),
            (&[("expires", "Sun, 06 Nov 1994 07:59:37 GMT")], MIN),
            (&[("cache-control", "max-age=300"), ("expires", "Sun, 06 Nov 1994 08:59:37 GMT")], 300),
        ];
        for (headers, expected) in cases {
            assert_eq!(of(headers), expected, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn a_lifetime_is_within_the_bounds(cache_control in "[ -~]{0,40}", expires in "[ -~]{0,40}", age in "[ -~]{0,20}") {
            let found = of(&[("cache-control", &cache_control), ("expires", &expires), ("age", &age)]);
            prop_assert!((MIN..=MAX).contains(&found));
        }
    }
}
