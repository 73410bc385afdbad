//! Both directions of the contract, and the encoding of identities, for any input.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use decision::{
    Acceptance, Decision, DecisionHeaders, Incoming, MAX_DECISION_BYTES, PolicyContext, PrebuildError,
    RequestId, RoleArn, SESSION_TAGS, SessionTags, SourceIdentity,
};
use http::HeaderMap;
use proptest::{collection::btree_map, option, prelude::*, string::string_regex};

fn roles() -> impl Strategy<Value = RoleArn> {
    "arn:aws:iam::[0-9]{12}:role/([!-+\\--.0-~]{1,9}/){0,3}[A-Za-z0-9_+=.@-]{1,64}"
        .prop_map(|text| text.parse().unwrap())
}

/// Letters, numbers and separators of several scripts, also beyond the basic plane.
const TAG: &str = "[a-zA-Z0-9 _.:/=+@\u{e9}\u{df}\u{661}\u{2167}\u{2028}\u{3042}\u{10400}-]";

fn tags() -> impl Strategy<Value = SessionTags> {
    let text = |lengths| string_regex(&format!("{TAG}{{{lengths}}}")).unwrap();
    btree_map(text("1,20"), text("0,30"), 0..12)
        .prop_filter_map("not session tags", |tags| SessionTags::try_from(tags).ok())
}

fn agents() -> impl Strategy<Value = serde_json::Value> {
    let member = prop_oneof![
        any::<i64>().prop_map(Into::into),
        any::<bool>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        Just(serde_json::Value::Null),
    ];
    let nested = prop_oneof![
        member.clone(),
        prop::collection::vec(member.clone(), 0..4).prop_map(Into::into),
        btree_map(any::<String>(), member, 0..4).prop_map(|map| map.into_iter().collect()),
    ];
    btree_map(any::<String>(), nested, 0..4).prop_map(|map| map.into_iter().collect())
}

fn contexts() -> impl Strategy<Value = PolicyContext> {
    let session_policy = option::of("[\\t\\n\\r -\u{ff}]{1,200}");
    ("[!-~]{1,40}", "[!-~]{1,40}", "\\PC{1,40}", 900..=43_200_u32, session_policy, option::of(agents()))
        .prop_map(|(decision_id, policy_id, tenant, session_duration_seconds, session_policy, agent)| {
            PolicyContext { decision_id, policy_id, tenant, session_duration_seconds, session_policy, agent }
        })
}

fn decisions() -> impl Strategy<Value = Decision> {
    (roles(), any::<(String, String)>(), tags(), contexts()).prop_map(
        |(role, (prefix, subject), tags, context)| {
            let source_identity = SourceIdentity::encode(&prefix, "https://login.example.com", &subject);
            Decision { role, source_identity, tags, context }
        },
    )
}

proptest! {
    #[test]
    fn what_the_gateway_writes_the_service_reads(decision in decisions(), id in any::<[u8; 16]>()) {
        let request_id = RequestId::from_uuid_bytes(id);
        let prebuilt = DecisionHeaders::prebuild(&decision)?;
        let mut headers = HeaderMap::new();
        prebuilt.insert_into(&mut headers, &request_id);
        for value in headers.values() {
            prop_assert!(value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)));
        }
        prop_assert_eq!(headers.len(), 5);
        let received = Incoming::from_headers(&headers, &Acceptance::default())?;
        prop_assert_eq!(received, (decision, request_id));
    }

    #[test]
    fn what_the_service_reads_the_gateway_writes(decision in decisions()) {
        let mut headers = HeaderMap::new();
        DecisionHeaders::prebuild(&decision)?.insert_into(&mut headers, &RequestId::from_uuid_bytes([0; 16]));
        let (received, request_id) = Incoming::from_headers(&headers, &Acceptance::default())?;
        let mut again = HeaderMap::new();
        DecisionHeaders::prebuild(&received)?.insert_into(&mut again, &request_id);
        prop_assert_eq!(again, headers);
    }

    #[test]
    fn foreign_text_in_any_header_is_refused_or_harmless(
        decision in decisions(), index in 0..5_usize, text in "[ -~]{0,80}",
    ) {
        let mut headers = HeaderMap::new();
        DecisionHeaders::prebuild(&decision)?.insert_into(&mut headers, &RequestId::from_uuid_bytes([0; 16]));
        let name = headers.keys().nth(index).unwrap().clone();
        headers.insert(name, text.parse()?);
        if let Ok((received, _)) = Incoming::from_headers(&headers, &Acceptance::default()) {
            // Whatever was read is a decision that the gateway could have written.
            prop_assert!(DecisionHeaders::prebuild(&received).is_ok());
        }
    }

    #[test]
    fn source_identities_are_legal(prefix in any::<String>(), subject in any::<String>()) {
        let identity = SourceIdentity::encode(&prefix, "https://login.example.com", &subject);
        prop_assert_eq!(identity.as_str().parse(), Ok(identity));
    }

    #[test]
    fn long_and_foreign_subjects_have_different_source_identities(
        one in (".{0,3}", ".{0,80}"), other in (".{0,3}", ".{0,80}"),
    ) {
        prop_assume!(one != other);
        prop_assert_ne!(encoded(&one), encoded(&other));
    }

    #[test]
    fn a_subject_never_looks_like_the_hash_of_another(subject in "[ -~]{65,100}") {
        let hash = SourceIdentity::encode("", "https://login.example.com", &subject);
        prop_assert!(hash.as_str().starts_with("h."));
        prop_assert_ne!(SourceIdentity::encode("", "https://login.example.com", hash.as_str()), hash);
    }
}

proptest! {
    // Few characters and short texts, so that near-collisions are frequent; many cases, so that they are met.
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn different_subjects_have_different_source_identities(
        one in ("[a=.h0D]{0,3}", "[a=.,h|0D]{0,6}"), other in ("[a=.h0D]{0,3}", "[a=.,h|0D]{0,6}"),
    ) {
        prop_assume!(one != other);
        prop_assert_ne!(encoded(&one), encoded(&other));
    }
}

/// As a deployment encodes: a prefix stands for exactly one issuer.
fn encoded((prefix, subject): &(String, String)) -> SourceIdentity {
    SourceIdentity::encode(prefix, &format!("https://{prefix}.example.com"), subject)
}

#[test]
fn source_identities_of_known_subjects() {
    let (longest, long) = ("x".repeat(64), "x".repeat(65));
    let cases = [
        ("", "ada", "ada"),
        ("", "ada@example.com", "ada@example.com"),
        ("", "00u1_a-b+c.d", "00u1_a-b+c.d"),
        ("", "auth0|ada", "auth0=7Cada"),
        ("", "auth0|x/é", "auth0=7Cx=2F=C3=A9"),
        ("", "a=b", "a=3Db"),
        ("", "a,b", "a=2Cb"),
        ("", "a b", "a=20b"),
        ("", "aws:admin", "aws=3Aadmin"),
        ("", "\u{1f600}", "=F0=9F=98=80"),
        ("okta", "ada", "okta=.ada"),
        ("okta", "", "okta=."),
        ("a|b", "c", "a=7Cb=.c"),
        ("", &longest, &longest),
        // base32(SHA-256("https://login.example.com" NUL subject)), computed with Python's hashlib and base64.
        ("", "", "h.2W7N4KGIM7QGM3Y4C7ZF3JPIS6N37GS3NKDWNGPX5ASI64YCLOAQ"),
        ("", "a", "h.77UWNVYLTMCYSM5WOWUDLQFBFIA6BNBGAXEIXTZKAUJRWD36PY5A"),
        ("", "h.x", "h.FPKPPFRS5QLZMRF32IL756TTGNB4VH3Q46WV237HSVCSYZGEYQEA"),
        ("", &long, "h.4C75MBAAZGQNGZ3NAWSKW4QOSABWQLOLQ5E4OMUBTPRPFY6STI7Q"),
        ("okta", &long, "h.4C75MBAAZGQNGZ3NAWSKW4QOSABWQLOLQ5E4OMUBTPRPFY6STI7Q"),
    ];
    for (prefix, subject, expected) in cases {
        let identity = SourceIdentity::encode(prefix, "https://login.example.com", subject);
        assert_eq!(identity.as_str(), expected, "{prefix} {subject}");
    }
}

#[test]
fn tags_are_written_sorted_and_in_ascii() {
    let tags = SessionTags::from_pairs([("Zeta", "1"), ("alpha", "é"), ("Été", "\u{10400}")]).unwrap();
    let decision = Decision { tags, ..plain() };
    let mut headers = HeaderMap::new();
    DecisionHeaders::prebuild(&decision)
        .unwrap()
        .insert_into(&mut headers, &RequestId::from_uuid_bytes([0; 16]));
    assert_eq!(headers[SESSION_TAGS], r#"{"Zeta":"1","alpha":"\u00e9","\u00c9t\u00e9":"\ud801\udc00"}"#);
}

#[test]
fn an_agent_that_no_service_reads_is_refused_when_it_is_built() {
    let nested =
        |depth| (0..depth).fold(serde_json::Value::Null, |inner, _| serde_json::json!({ "a": inner }));
    let mut decision = plain();
    decision.context.agent = Some(nested(100));
    assert!(DecisionHeaders::prebuild(&decision).is_ok());
    decision.context.agent = Some(nested(200));
    assert_eq!(DecisionHeaders::prebuild(&decision).unwrap_err(), PrebuildError::Unwritable);
}

#[test]
fn decisions_that_cannot_travel_are_refused_when_they_are_built() {
    let long: BTreeMap<_, _> = (0..50).map(|n| (format!("key{n}"), "v".repeat(256))).collect();
    let decision = Decision { tags: long.try_into().unwrap(), ..plain() };
    let Err(PrebuildError::TooLarge { bytes }) = DecisionHeaders::prebuild(&decision) else {
        panic!("built 50 tags of full length");
    };
    assert!(bytes > MAX_DECISION_BYTES);

    let broken: [fn(&mut PolicyContext); 14] = [
        |context| context.decision_id.clear(),
        |context| context.decision_id = "a b".into(),
        |context| context.decision_id = "x".repeat(129),
        |context| context.policy_id.clear(),
        |context| context.policy_id = "é".into(),
        |context| context.tenant.clear(),
        |context| context.tenant = "a\nb".into(),
        |context| context.tenant = "t".repeat(257),
        |context| context.session_duration_seconds = 899,
        |context| context.session_duration_seconds = 43_201,
        |context| context.session_policy = Some(String::new()),
        |context| context.session_policy = Some("{\"\u{20ac}\":1}".into()),
        |context| context.session_policy = Some("x".repeat(2049)),
        |context| context.agent = Some("agent".into()),
    ];
    let mut messages = BTreeSet::new();
    for (index, spoil) in broken.iter().enumerate() {
        let mut decision = plain();
        spoil(&mut decision.context);
        match DecisionHeaders::prebuild(&decision) {
            Err(PrebuildError::Context(error)) => messages.insert(error.to_string()),
            other => panic!("case {index}: {other:?}"),
        };
    }
    assert_eq!(messages.len(), 6, "each member has its own message");
}

fn plain() -> Decision {
    Decision {
        role: "arn:aws:iam::111122223333:role/reader".parse().unwrap(),
        source_identity: "ada@example.com".parse().unwrap(),
        tags: SessionTags::default(),
        context: PolicyContext {
            decision_id: "d-1".into(),
            policy_id: "rule-1".into(),
            tenant: "acme".into(),
            session_duration_seconds: 3600,
            session_policy: None,
            agent: None,
        },
    }
}
