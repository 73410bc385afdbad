//! What a service must not take for a decision (SEC-42 to 45, 49, 50).
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::collections::BTreeSet;

use decision::{
    Acceptance, DECIDED_ROLE, DecisionRefused, Incoming, POLICY_CONTEXT, Partition, REQUEST_ID, SESSION_TAGS,
    SOURCE_IDENTITY, SessionTags, strip_decision_headers,
};
use http::{HeaderMap, HeaderName, HeaderValue};

const CONTEXT: &str =
    r#"{"decision_id":"d-1","policy_id":"rule-1","tenant":"acme","session_duration_seconds":3600}"#;

fn good() -> HeaderMap {
    let lines = [
        (DECIDED_ROLE, "arn:aws:iam::111122223333:role/acme/reader"),
        (SOURCE_IDENTITY, "ada@example.com"),
        (SESSION_TAGS, r#"{"tenant":"acme"}"#),
        (POLICY_CONTEXT, CONTEXT),
        (REQUEST_ID, "0198c5a2-7b7e-7000-8000-00000000002a"),
    ];
    lines.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

fn refusal(headers: &HeaderMap) -> DecisionRefused {
    Incoming::from_headers(headers, &Acceptance::default()).unwrap_err()
}

/// The reason for refusing a request in which `name` has `value` instead.
fn reason(name: &HeaderName, value: &[u8]) -> &'static str {
    let mut headers = good();
    headers.insert(name, HeaderValue::from_bytes(value).unwrap());
    let refused = refusal(&headers);
    assert_eq!(refused.header(), name);
    refused.reason()
}

#[test]
fn the_good_request_is_good() {
    let (decision, request_id) = Incoming::from_headers(&good(), &Acceptance::default()).unwrap();
    assert_eq!(decision.tags, SessionTags::from_pairs([("tenant", "acme")]).unwrap());
    assert_eq!(request_id.to_string(), "0198c5a2-7b7e-7000-8000-00000000002a");
}

#[test]
fn each_header_is_there_exactly_once() {
    for name in good().keys() {
        let mut headers = good();
        headers.remove(name);
        assert_eq!((refusal(&headers).header(), refusal(&headers).reason()), (name, "missing"));

        let mut headers = good();
        headers.append(name, good()[name].clone());
        assert_eq!((refusal(&headers).header(), refusal(&headers).reason()), (name, "repeated"));
    }
}

#[test]
fn look_alikes_are_refused_even_beside_the_right_header() {
    for name in good().keys() {
        for spelling in [name.as_str().replace('-', "_"), name.as_str().replacen('-', "_", 1)] {
            let mut headers = good();
            headers.insert(spelling.parse::<HeaderName>().unwrap(), good()[name].clone());
            assert_eq!((refusal(&headers).header(), refusal(&headers).reason()), (name, "look_alike"));
            headers.remove(name);
            assert_eq!(refusal(&headers).reason(), "look_alike");
        }
    }
    let mut headers = good();
    headers.insert("x_decision_signature", HeaderValue::from_static("a.b.c"));
    assert_eq!(refusal(&headers).reason(), "look_alike");
}

#[test]
fn an_unchecked_signature_is_refused() {
    let mut headers = good();
    headers.insert("x-decision-signature", HeaderValue::from_static("a.b.c"));
    assert_eq!(refusal(&headers).reason(), "signature_not_supported");
}

#[test]
fn stripping_leaves_nothing_that_a_service_reads() {
    let mut headers = good();
    headers.insert("x_decided_role", HeaderValue::from_static("arn:aws:iam::111122223333:role/admin"));
    strip_decision_headers(&mut headers);
    assert!(headers.is_empty());
}

#[test]
fn roles_are_of_the_right_partition_and_account() {
    let account = |id: &str| Some(BTreeSet::from([id.parse().unwrap()]));
    let cases = [
        (account("111122223333"), Partition::Aws, None),
        (None, Partition::Aws, None),
        (account("999999999999"), Partition::Aws, Some("account_not_allowed")),
        (Some(BTreeSet::new()), Partition::Aws, Some("account_not_allowed")),
        (account("111122223333"), Partition::China, Some("other_partition")),
    ];
    for (allowed_accounts, partition, expected) in cases {
        let acceptance = Acceptance { allowed_accounts, partition };
        let refused = Incoming::from_headers(&good(), &acceptance).err();
        assert_eq!(refused.map(|refused| refused.reason()), expected, "{acceptance:?}");
    }
}

#[test]
fn plain_headers_have_one_form() {
    let cases: &[(HeaderName, &[&str], &str)] = &[
        (
            DECIDED_ROLE,
            &[
                "",
                "arn:aws:iam::111122223333:user/ada",
                "arn:aws:iam::11112222333:role/r",
                "arn:aws:iam::111122223333:role//r",
                "arn:aws:iam::111122223333:role/r;x",
            ],
            "malformed",
        ),
        (
            DECIDED_ROLE,
            &[
                "arn:aws:iam::111122223333:role/a,arn:aws:iam::111122223333:role/b",
                "arn:aws:iam::111122223333:role/a, arn:aws:iam::111122223333:role/b",
                "arn:aws:iam::111122223333:role/a,",
            ],
            "comma_joined",
        ),
        (SOURCE_IDENTITY, &["", "a", "auth0|x", "a b", "=C3=A9/"], "malformed"),
        (SOURCE_IDENTITY, &["ada,bob", "ada, bob"], "comma_joined"),
        (
            REQUEST_ID,
            &["", "1", "0198C5A2-7B7E-7000-8000-00000000002A", "0198c5a27b7e7000800000000000002a", "{}"],
            "malformed",
        ),
        (
            REQUEST_ID,
            &["0198c5a2-7b7e-7000-8000-00000000002a,0198c5a2-7b7e-7000-8000-00000000002a"],
            "comma_joined",
        ),
    ];
    for (name, values, expected) in cases {
        for value in *values {
            assert_eq!(reason(name, value.as_bytes()), *expected, "{name}: {value}");
        }
    }
}

#[test]
fn bytes_beyond_ascii_are_refused_everywhere() {
    for name in good().keys() {
        assert_eq!(reason(name, "\u{e9}\u{e9}".as_bytes()), "malformed");
    }
    assert_eq!(reason(&SESSION_TAGS, "{\"tenant\":\"acm\u{e9}\"}".as_bytes()), "malformed");
}

#[test]
fn session_tags_are_read_strictly() {
    let many: Vec<_> = (0..51).map(|n| format!(r#""k{n}":"v""#)).collect();
    let many = format!("{{{}}}", many.join(","));
    let long_key = format!(r#"{{"{}":"v"}}"#, "k".repeat(129));
    let long_value = format!(r#"{{"k":"{}"}}"#, "v".repeat(257));
    let cases: &[(&str, &str)] = &[
        ("", "malformed"),
        ("null", "malformed"),
        ("[]", "malformed"),
        (r#"[["tenant","acme"]]"#, "malformed"),
        (r#""tenant""#, "malformed"),
        ("{", "malformed"),
        (r#"{"a":"b"},{"c":"d"}"#, "malformed"),
        (r#"{"a":"b"}{"c":"d"}"#, "malformed"),
        (r#"{"a":"b",}"#, "malformed"),
        (r"{'a':'b'}", "malformed"),
        (r#"{"a":"\ud800"}"#, "malformed"),
        (r#"{"tenant":"acme","tenant":"globex"}"#, "duplicate_key"),
        (r#"{"tenant":"acme","tenant":"acme"}"#, "duplicate_key"),
        (r#"{"tenant":"acme","\u0074enant":"globex"}"#, "duplicate_key"),
        (r#"{"tenant":"acme","Tenant":"globex"}"#, "duplicate_key"),
        (r#"{"\u00e9":"1","\u00c9":"2"}"#, "duplicate_key"),
        (r#"{"tenant":null}"#, "not_a_string"),
        (r#"{"tenant":1}"#, "not_a_string"),
        (r#"{"tenant":true}"#, "not_a_string"),
        (r#"{"tenant":["acme"]}"#, "not_a_string"),
        (r#"{"tenant":{"a":"b"}}"#, "not_a_string"),
        (r#"{"":"v"}"#, "invalid_tag"),
        (r#"{"aws:x":"v"}"#, "invalid_tag"),
        (r#"{"AwS:x":"v"}"#, "invalid_tag"),
        (r#"{"a,b":"v"}"#, "invalid_tag"),
        (r#"{"a":"v*"}"#, "invalid_tag"),
        (r#"{"a":"${aws:username}"}"#, "invalid_tag"),
        (r#"{"a":"\n"}"#, "invalid_tag"),
        (r#"{"a":"\u0000"}"#, "invalid_tag"),
        (r#"{"a":"\u200b"}"#, "invalid_tag"),
        (r#"{"a":"\u202e"}"#, "invalid_tag"),
        (r#"{"a":"\ud83d\ude00"}"#, "invalid_tag"),
        (&many, "invalid_tag"),
        (&long_key, "invalid_tag"),
        (&long_value, "invalid_tag"),
    ];
    for (json, expected) in cases {
        assert_eq!(reason(&SESSION_TAGS, json.as_bytes()), *expected, "{json}");
    }
}

#[test]
fn the_policy_context_is_read_strictly() {
    let with = |member: &str| CONTEXT.replace('}', &format!(",{member}}}"));
    let cases = [
        String::new(),
        "null".into(),
        "{}".into(),
        r#"["d-1","rule-1","acme",3600]"#.into(),
        format!("{CONTEXT},{CONTEXT}"),
        CONTEXT.replace("3600", "\"3600\""),
        CONTEXT.replace("3600", "3600.5"),
        CONTEXT.replace("3600", "-1"),
        CONTEXT.replace("3600", "899"),
        CONTEXT.replace("3600", "43201"),
        CONTEXT.replace("3600", "4294967296"),
        CONTEXT.replace("acme", ""),
        CONTEXT.replace("acme", "a\\u0000"),
        CONTEXT.replace("\"acme\"", "null"),
        with(r#""tenant":"globex""#),
        with(r#""Tenant":"globex""#),
        with(r#""unknown":1"#),
        with(r#""session_policy":1"#),
        with(r#""agent":"x""#),
        with(r#""agent":null"#),
        with(r#""agent":{"a":1,"a":2}"#),
        with(r#""agent":{"o":{"a":1,"a":2}}"#),
        with(&format!(r#""agent":{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200))),
    ];
    for json in &cases {
        assert_eq!(reason(&POLICY_CONTEXT, json.as_bytes()), "malformed", "{json}");
    }
    let mut headers = good();
    headers.insert(POLICY_CONTEXT, with(r#""agent":{"a":1,"A":2}"#).parse().unwrap());
    assert!(Incoming::from_headers(&headers, &Acceptance::default()).is_ok());
}

#[test]
fn a_header_beyond_the_budget_is_not_parsed() {
    let json = format!(r#"{{"a":"{}"}}"#, "v".repeat(9000));
    assert_eq!(reason(&SESSION_TAGS, json.as_bytes()), "too_large");

    // The budget is for all of them together.
    let mut headers = good();
    let tags: Vec<_> = (0..20).map(|n| format!(r#""k{n}":"{}""#, "v".repeat(256))).collect();
    headers.insert(SESSION_TAGS, format!("{{{}}}", tags.join(",")).parse().unwrap());
    assert!(Incoming::from_headers(&headers, &Acceptance::default()).is_ok());
    let agent = format!(r#","agent":{{"a":"{}"}}}}"#, "v".repeat(3000));
    headers.insert(POLICY_CONTEXT, CONTEXT.replace('}', &agent).parse().unwrap());
    assert_eq!(refusal(&headers).reason(), "too_large");
}

#[test]
fn a_refusal_echoes_no_value() {
    let mut headers = good();
    headers.insert(SOURCE_IDENTITY, HeaderValue::from_static("canary|value"));
    let refused = refusal(&headers);
    assert_eq!(refused.to_string(), "the header x-source-identity is refused: malformed");
    assert!(!format!("{refused:?}").contains("canary"));
}
