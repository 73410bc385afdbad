//! One case for each thing that a decision turns on.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use role_mapper::{DenyReason, Mapping, MappingDocument, Query, RoleDecision, RuleId, decide};
use serde_json::{Value, json};

const ISSUER: &str = "https://idp.example.com";

/// Two tenants with a role each, one person each. `more` adds rows or replaces whole tables.
fn mapping(more: Value) -> Mapping {
    let mut rows = json!({
        "tenants": [
            {"id": "acme", "name": "Acme"},
            {"id": "open", "name": "Open", "admit_unknown_subjects": true},
            {"id": "gone", "name": "Gone", "active": false, "admit_unknown_subjects": true},
        ],
        "subjects": [
            {"issuer": ISSUER, "subject": "ada", "tenant": "acme"},
            {"issuer": ISSUER, "subject": "off", "tenant": "acme", "active": false},
            {"issuer": ISSUER, "subject": "left", "tenant": "gone"},
        ],
        "roles": [
            {"tenant": "acme", "name": "a", "role_arn": "arn:aws:iam::111122223333:role/a"},
            {"tenant": "acme", "name": "b", "role_arn": "arn:aws:iam::111122223333:role/b"},
            {"tenant": "open", "name": "a", "role_arn": "arn:aws:iam::444455556666:role/a"},
        ],
        "rules": [{"id": 1, "tenant": "acme", "role": "a"}, {"id": 2, "tenant": "open", "role": "a"}],
    });
    let tables = rows.as_object_mut().unwrap();
    let Value::Object(more) = more else { unreachable!("tables") };
    tables.extend(more);
    let document: MappingDocument = serde_json::from_value(rows).unwrap();
    Mapping::new(&document).unwrap()
}

/// `"<tenant>/<role> by #<rule>"`, or the reason.
fn ask(mapping: &Mapping, subject: &str, tenant: Option<&str>, claims: &Value) -> Result<String, DenyReason> {
    let claims = claims.as_object().unwrap();
    match decide(mapping, &Query { issuer: ISSUER, subject, tenant, claims, service: "platform" }) {
        RoleDecision::Grant(grant) => Ok(format!("{}/{} by #{}", grant.tenant, grant.role, grant.by)),
        RoleDecision::Deny(reason) => Err(reason),
    }
}

#[test]
fn the_tenant_comes_from_the_row_and_else_from_the_claim() {
    use DenyReason::{InactiveSubject, InactiveTenant, TenantMismatch, UnknownSubject, UnknownTenant};

    let mapping = mapping(json!({}));
    for (subject, tenant, expected) in [
        ("ada", None, Ok("acme/a by #1")),
        ("ada", Some("acme"), Ok("acme/a by #1")),
        ("ada", Some("open"), Err(TenantMismatch)),
        ("ada", Some("nowhere"), Err(TenantMismatch)),
        ("ada", Some(""), Err(TenantMismatch)),
        ("ada", Some("ACME"), Err(TenantMismatch)),
        ("Ada", None, Err(UnknownSubject)),
        ("ada ", None, Err(UnknownSubject)),
        ("", None, Err(UnknownSubject)),
        ("eve", None, Err(UnknownSubject)),
        ("eve", Some("acme"), Err(UnknownSubject)),
        ("eve", Some("open"), Ok("open/a by #2")),
        ("eve", Some("gone"), Err(InactiveTenant)),
        ("eve", Some("nowhere"), Err(UnknownTenant)),
        ("eve", Some(""), Err(UnknownTenant)),
        ("off", None, Err(InactiveSubject)),
        ("off", Some("acme"), Err(InactiveSubject)),
        ("off", Some("open"), Err(TenantMismatch)),
        ("left", None, Err(InactiveTenant)),
    ] {
        assert_eq!(
            ask(&mapping, subject, tenant, &json!({})),
            expected.map(str::to_owned),
            "{subject} {tenant:?}"
        );
    }
}

#[test]
fn another_issuer_is_another_person() {
    let mapping = mapping(json!({}));
    let claims = serde_json::Map::new();
    for issuer in ["https://idp.example.com/", "https://IDP.example.com", "https://evil.example", ""] {
        let query = Query { issuer, subject: "ada", tenant: None, claims: &claims, service: "platform" };
        assert_eq!(decide(&mapping, &query), RoleDecision::Deny(DenyReason::UnknownSubject), "{issuer}");
    }
}

#[test]
fn a_condition_compares_type_and_value() {
    let cases = [
        (json!({"equals": "x"}), json!("x"), true),
        (json!({"equals": "x"}), json!("X"), false),
        (json!({"equals": "x"}), json!("xx"), false),
        (json!({"equals": "x"}), json!(["x"]), false),
        (json!({"equals": "true"}), json!(true), false),
        (json!({"equals": true}), json!(true), true),
        (json!({"equals": true}), json!("true"), false),
        (json!({"equals": true}), json!(1), false),
        (json!({"equals": false}), json!(null), false),
        (json!({"equals": 7}), json!(7), true),
        (json!({"equals": 7}), json!(7.0), false),
        (json!({"equals": 7}), json!("7"), false),
        (json!({"equals": -7}), json!(-7), true),
        (json!({"contains": "x"}), json!(["a", "x"]), true),
        (json!({"contains": "x"}), json!(["x", "x"]), true),
        (json!({"contains": "x"}), json!(["xx"]), false),
        (json!({"contains": "x"}), json!([["x"]]), false),
        (json!({"contains": "x"}), json!([]), false),
        (json!({"contains": "x"}), json!("x"), false),
        (json!({"contains": "x"}), json!("a x b"), false),
        (json!({"contains": "x"}), json!({"x": true}), false),
        (json!({"contains": 3}), json!([1, 2, 3]), true),
        (json!({"contains": 3}), json!(["3"]), false),
    ];
    for (mut condition, value, expected) in cases {
        condition["pointer"] = json!("/nested/claim");
        // As the first condition, by which the rule is found, and as one that is looked at later.
        for conditions in [json!([condition]), json!([{"pointer": "/always", "equals": 1}, condition])] {
            let rule = json!({"id": 1, "tenant": "acme", "role": "a", "conditions": conditions});
            let mapping = mapping(json!({"rules": [rule]}));
            let answer = ask(&mapping, "ada", None, &json!({"always": 1, "nested": {"claim": value}}));
            let wanted = if expected { Ok("acme/a by #1") } else { Err(DenyReason::NoRule) };
            assert_eq!(answer, wanted.map(str::to_owned), "{conditions} {value}");
            assert_eq!(ask(&mapping, "ada", None, &json!({"always": 1})), Err(DenyReason::NoRule));
        }
    }
}

#[test]
fn only_the_lowest_priority_decides_and_a_tie_is_a_denial() {
    let rule = |id: i64, priority: i64, role: &str, more: Value| {
        let mut rule = json!({"id": id, "tenant": "acme", "priority": priority, "role": role});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    let ada = || json!({"subject": {"issuer": ISSUER, "subject": "ada"}});
    let eve = || json!({"subject": {"issuer": ISSUER, "subject": "eve"}});
    let group = || json!({"conditions": [{"pointer": "/g", "contains": "x"}]});
    let any = || json!({});
    let tie = |ids: &[i64]| {
        Err(DenyReason::Ambiguous(ids.iter().map(|id| RuleId::try_from(*id).unwrap()).collect()))
    };
    let cases = [
        (vec![], Err(DenyReason::NoRule)),
        (vec![rule(1, 100, "a", any()), rule(2, 100, "b", any())], tie(&[1, 2])),
        (vec![rule(2, 100, "b", group()), rule(1, 100, "a", ada())], tie(&[1, 2])),
        (vec![rule(3, 5, "a", group()), rule(1, 5, "b", ada()), rule(2, 5, "a", any())], tie(&[1, 2, 3])),
        (vec![rule(1, 100, "a", any()), rule(2, 99, "b", any())], Ok("acme/b by #2")),
        (vec![rule(1, 100, "a", any()), rule(2, 99, "b", group())], Ok("acme/b by #2")),
        (vec![rule(1, 100, "a", any()), rule(2, 99, "b", ada())], Ok("acme/b by #2")),
        (vec![rule(1, 98, "a", any()), rule(2, 99, "b", ada())], Ok("acme/a by #1")),
        (vec![rule(1, -1, "a", any()), rule(2, 0, "b", any())], Ok("acme/a by #1")),
        (vec![rule(7, 1, "a", any()), rule(3, 1, "a", group())], Ok("acme/a by #3")),
        (vec![rule(1, 100, "a", any()), rule(2, 1, "b", eve())], Ok("acme/a by #1")),
        (vec![rule(1, 100, "a", any()), rule(2, 1, "b", json!({"service": "other"}))], Ok("acme/a by #1")),
        (vec![rule(1, 100, "a", any()), rule(2, 1, "b", json!({"service": "platform"}))], Ok("acme/b by #2")),
    ];
    for (rules, expected) in cases {
        let mapping = mapping(json!({"rules": rules}));
        assert_eq!(
            ask(&mapping, "ada", None, &json!({"g": ["x", "x"]})),
            expected.map(str::to_owned),
            "{rules:?}"
        );
    }
}

#[test]
fn a_tag_that_cannot_be_filled_is_a_denial() {
    let role = json!([{
        "tenant": "acme", "name": "a", "role_arn": "arn:aws:iam::111122223333:role/a",
        "tags": {"tenant": "acme", "user": {"claim": "/user/name"}},
    }]);
    let mapping = mapping(json!({"roles": role, "rules": [{"id": 1, "tenant": "acme", "role": "a"}]}));
    let refused = || Err(DenyReason::TagClaim { tag: "user".into() });
    for (claims, expected) in [
        (json!({"user": {"name": "Ada Lovelace"}}), Ok("acme/a by #1")),
        (json!({"user": {"name": "é".repeat(256)}}), Ok("acme/a by #1")),
        (json!({"user": {"name": "é".repeat(257)}}), refused()),
        (json!({"user": {"name": ""}}), refused()),
        (json!({"user": {"name": "a\nb"}}), refused()),
        (json!({"user": {"name": "*"}}), refused()),
        (json!({"user": {"name": "${aws:username}"}}), refused()),
        (json!({"user": {"name": ["ada"]}}), refused()),
        (json!({"user": {"name": 7}}), refused()),
        (json!({"user": {"name": null}}), refused()),
        (json!({"user": {}}), refused()),
        (json!({"user": "ada"}), refused()),
        (json!({}), refused()),
    ] {
        assert_eq!(ask(&mapping, "ada", None, &claims), expected.map(str::to_owned), "{claims}");
    }
}

#[test]
fn tags_that_grow_beyond_the_budget_are_a_denial() {
    let tags: serde_json::Map<_, _> =
        (0..20).map(|number| (format!("t{number}"), json!({"claim": "/long"}))).collect();
    let role = json!([{"tenant": "acme", "name": "a", "role_arn": "arn:aws:iam::111122223333:role/a", "tags": tags}]);
    let mapping = mapping(json!({"roles": role, "rules": [{"id": 1, "tenant": "acme", "role": "a"}]}));
    for (length, expected) in [(100, Ok("acme/a by #1")), (250, Err(DenyReason::TagBudget))] {
        assert_eq!(
            ask(&mapping, "ada", None, &json!({"long": "x".repeat(length)})),
            expected.map(str::to_owned),
            "{length}"
        );
    }
}

#[test]
fn a_grant_carries_what_the_role_says() {
    let role = json!([{
        "tenant": "acme", "name": "a", "role_arn": "arn:aws:iam::111122223333:role/a", "tags": {"k": "v"},
        "session_policy": "read-only", "duration_seconds": 900, "requests_per_minute": 60, "burst": 5,
    }]);
    let mapping = mapping(json!({"roles": role, "rules": [{"id": 9, "tenant": "acme", "role": "a"}]}));
    let claims = serde_json::Map::new();
    let query = Query { issuer: ISSUER, subject: "ada", tenant: None, claims: &claims, service: "platform" };
    let RoleDecision::Grant(grant) = decide(&mapping, &query) else { panic!("a grant") };
    assert_eq!(grant.role.as_str(), "a");
    assert_eq!(grant.role_arn, "arn:aws:iam::111122223333:role/a");
    assert_eq!(grant.tags, [("k".to_owned(), "v".to_owned())].into());
    assert_eq!(grant.session_policy.as_deref(), Some("read-only"));
    assert_eq!(grant.duration.as_secs(), 900);
    assert_eq!(grant.limits.requests_per_minute.unwrap().get(), 60);
    assert_eq!(grant.limits.burst.unwrap().get(), 5);
    assert_eq!((grant.by.get(), grant.tenant.as_str()), (9, "acme"));
}

#[test]
fn an_empty_mapping_denies_everybody() {
    assert_eq!(ask(&Mapping::default(), "ada", None, &json!({})), Err(DenyReason::UnknownSubject));
    assert_eq!(ask(&Mapping::default(), "ada", Some("acme"), &json!({})), Err(DenyReason::UnknownTenant));
}

#[test]
fn every_reason_has_a_word_of_its_own_and_says_nothing_of_the_claims() {
    let reasons = [
        DenyReason::UnknownSubject,
        DenyReason::UnknownTenant,
        DenyReason::TenantMismatch,
        DenyReason::InactiveTenant,
        DenyReason::InactiveSubject,
        DenyReason::TenantBroken,
        DenyReason::NoRule,
        DenyReason::Ambiguous(vec![RuleId::try_from(1).unwrap(), RuleId::try_from(2).unwrap()]),
        DenyReason::TagClaim { tag: "user".into() },
        DenyReason::TagBudget,
    ];
    let words: std::collections::BTreeSet<_> = reasons.iter().map(DenyReason::as_str).collect();
    assert_eq!(words.len(), reasons.len());
    assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    assert_eq!(reasons[7].to_string(), "rules of the same priority grant different roles: 1 2");
}
