//! What a document may say, and what is said about one that is wrong.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use role_mapper::{DenyReason, Mapping, MappingDocument, Problem, Query, RoleDecision, decide};
use serde_json::{Value, json};

fn problems(document: &Value) -> Vec<String> {
    let document: MappingDocument = serde_json::from_value(document.clone()).unwrap();
    match Mapping::new(&document) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.as_slice().iter().map(Problem::to_string).collect(),
    }
}

#[test]
fn all_problems_are_reported_at_once_with_table_key_field_and_expectation() {
    let document = json!({
        "tenants": [{"id": "Acme", "name": ""}, {"id": "ok", "name": "Ok"}],
        "subjects": [
            {"issuer": "", "subject": "a\u{7}", "tenant": "nowhere", "display_name": "a\nb"},
        ],
        "roles": [{
            "tenant": "ok", "name": "a b", "role_arn": "reader",
            "tags": {"aws:x": "v", "Team": "a", "team": "", "c": {"claim": "user"}},
            "session_policy": "{}", "duration_seconds": 60, "requests_per_minute": 0, "burst": -1,
        }],
        "rules": [{
            "id": 0, "tenant": "ok", "role": "missing", "service": "A B",
            "subject": {"issuer": "i", "subject": ""},
            "conditions": [{"pointer": "groups", "contains": "x"}, {"pointer": "/a", "equals": ""}],
        }],
    });
    let expected = [
        r#"tenants Acme: name is "", expected 1 to 256 characters without control characters"#,
        r#"tenants Acme: id is "Acme", expected 1 to 63 characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit"#,
        r#"subjects  a\u{7}: tenant is "nowhere", expected the id of a tenant"#,
        r#"subjects  a\u{7}: issuer is "", expected 1 to 1024 bytes without control characters"#,
        r#"subjects  a\u{7}: subject is "a\u{7}", expected 1 to 1024 bytes without control characters"#,
        r#"subjects  a\u{7}: display_name is "a\nb", expected at most 256 characters without control characters"#,
        r#"roles ok/a b: name is "a b", expected 1 to 64 characters of A-Z, a-z, 0-9 and '_+=.@-'"#,
        r#"roles ok/a b: role_arn is "reader", expected arn:<partition>:iam::<12 digits>:role/<path><name> of an existing AWS partition, path and name of A-Z, a-z, 0-9 and '_+=.@-'"#,
        r#"roles ok/a b: session_policy is "{}", expected the name or ARN of a session policy: 1 to 256 characters of A-Z, a-z, 0-9 and '_+=.@:/-'"#,
        r"roles ok/a b: duration_seconds is 60, expected 900 to 3600 seconds",
        r"roles ok/a b: requests_per_minute is 0, expected 1 to 4294967295, or nothing for no limit",
        r"roles ok/a b: burst is -1, expected 1 to 4294967295, or nothing for no limit",
        r#"roles ok/a b: tags is "aws:x", expected a tag key of 1 to 128 letters, digits, spaces and '_.:/=+-@', not starting with aws:"#,
        r#"roles ok/a b: tags.c is "user", expected a JSON pointer into the claims such as /groups, with ~0 for '~' and ~1 for '/'"#,
        r#"roles ok/a b: tags is "team", expected keys that differ in more than letter case"#,
        r#"roles ok/a b: tags.team is "", expected a tag value of 1 to 256 letters, digits, spaces and '_.:/=+-@'"#,
        r"rules 0: id is 0, expected a number of 1 or more",
        r#"rules 0: role is "missing", expected the name of a role of the same tenant"#,
        r#"rules 0: service is "A B", expected 1 to 63 characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit"#,
        r#"rules 0: subject.subject is "", expected 1 to 1024 bytes without control characters"#,
        r#"rules 0: conditions.1 is "groups", expected a JSON pointer into the claims such as /groups, with ~0 for '~' and ~1 for '/'"#,
        r#"rules 0: conditions.2 is "", expected 1 to 1024 bytes without control characters"#,
    ];
    assert_eq!(problems(&document), expected);
}

#[test]
fn limits_and_tags_have_bounds() {
    let role = |more: Value| {
        let mut role = json!({"tenant": "t", "name": "r", "role_arn": "arn:aws:iam::111122223333:role/r"});
        role.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"tenants": [{"id": "t", "name": "T"}], "roles": [role]})
    };
    let tags = |count: usize, length: usize| {
        let tags: serde_json::Map<_, _> =
            (0..count).map(|number| (format!("k{number}"), json!("v".repeat(length)))).collect();
        json!({"tags": tags})
    };
    for (more, problem) in [
        (json!({"duration_seconds": 900}), None),
        (json!({"duration_seconds": 3600}), None),
        (json!({"duration_seconds": 899}), Some("duration_seconds is 899")),
        (json!({"duration_seconds": 3601}), Some("duration_seconds is 3601")),
        (json!({"duration_seconds": -900}), Some("duration_seconds is -900")),
        (json!({"requests_per_minute": 1, "burst": 1}), None),
        (json!({"requests_per_minute": 4_294_967_296_i64}), Some("requests_per_minute is 4294967296")),
        (json!({"burst": 1}), Some("burst is there without requests_per_minute")),
        (tags(50, 1), None),
        (tags(51, 1), Some("tags is 51 tags")),
        (tags(15, 256), None),
        (tags(16, 256), Some("tags is 4230 bytes")),
    ] {
        let found = problems(&role(more.clone()));
        match problem {
            None => assert_eq!(found, [] as [&str; 0], "{more}"),
            Some(text) => assert!(found.len() == 1 && found[0].contains(text), "{text}: {found:?}"),
        }
    }
}

#[test]
fn a_key_is_there_once() {
    let document = json!({
        "tenants": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}, {"id": "b", "name": "Bee"}],
        "subjects": [
            {"issuer": "i", "subject": "s", "tenant": "a"}, {"issuer": "i", "subject": "s", "tenant": "b"},
        ],
        "roles": [
            {"tenant": "a", "name": "r", "role_arn": "arn:aws:iam::111122223333:role/r"},
            {"tenant": "a", "name": "r", "role_arn": "arn:aws:iam::111122223333:role/other"},
            {"tenant": "b", "name": "r", "role_arn": "arn:aws:iam::111122223333:role/r"},
        ],
        "rules": [{"id": 1, "tenant": "a", "role": "r"}, {"id": 1, "tenant": "b", "role": "r"}],
    });
    let found = problems(&document);
    let lines: Vec<_> = found.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "tenants b",
            "tenants b",
            "subjects i s",
            "subjects i s",
            "roles a/r",
            "roles a/r",
            "rules 1",
            "rules 1"
        ]
    );
    assert!(
        found.iter().all(|line| line.ends_with("key is there twice, expected one row for a key")),
        "{found:?}"
    );
}

#[test]
fn a_rule_cannot_name_a_role_of_another_tenant() {
    let document = json!({
        "tenants": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}],
        "roles": [{"tenant": "b", "name": "r", "role_arn": "arn:aws:iam::111122223333:role/r"}],
        "rules": [{"id": 1, "tenant": "a", "role": "r"}],
    });
    assert_eq!(
        problems(&document),
        [r#"rules 1: role is "r", expected the name of a role of the same tenant"#]
    );
}

#[test]
fn a_broken_row_disables_its_tenant_and_no_other() {
    let document: MappingDocument = serde_json::from_value(json!({
        "tenants": [
            {"id": "sound", "name": "Sound", "admit_unknown_subjects": true},
            {"id": "broken", "name": "Broken", "admit_unknown_subjects": true},
        ],
        "subjects": [{"issuer": "i", "subject": "lost", "tenant": "nowhere"}],
        "roles": [
            {"tenant": "sound", "name": "r", "role_arn": "arn:aws:iam::111122223333:role/r"},
            {"tenant": "broken", "name": "r", "role_arn": "arn:aws:iam::111122223333:role/r"},
            {"tenant": "broken", "name": "bad", "role_arn": "oops"},
        ],
        "rules": [
            {"id": 1, "tenant": "sound", "role": "r"}, {"id": 2, "tenant": "broken", "role": "r"},
            {"id": 3, "tenant": "broken", "role": "bad", "priority": 1000},
        ],
    }))
    .unwrap();
    let mapping = Mapping::disabling_broken(&document, Vec::new());
    let tenants: Vec<_> = mapping.problems().iter().map(|problem| problem.tenant.as_deref()).collect();
    assert_eq!(tenants, [None, Some("broken")]);
    let claims = serde_json::Map::new();
    let ask = |subject, tenant| {
        let query = Query { issuer: "i", subject, tenant, claims: &claims, service: "platform" };
        match decide(&mapping, &query) {
            RoleDecision::Grant(grant) => Ok(grant.by.get()),
            RoleDecision::Deny(reason) => Err(reason),
        }
    };
    assert_eq!(ask("eve", Some("sound")), Ok(1));
    assert_eq!(ask("eve", Some("broken")), Err(DenyReason::TenantBroken));
    // A row that names no tenant still keeps its subject from being placed by a claim.
    assert_eq!(ask("lost", Some("sound")), Err(DenyReason::TenantMismatch));
    assert_eq!(ask("lost", None), Err(DenyReason::UnknownTenant));
}

#[test]
fn a_misspelt_field_is_an_error_that_names_it() {
    for (text, word) in [
        ("[[tenant]]\nid = \"a\"", "unknown field `tenant`"),
        ("[[tenants]]\nid = \"a\"\nname = \"A\"\nactiv = false", "unknown field `activ`"),
        ("[[subjects]]\nissuer = \"i\"\nsubject = \"s\"", "missing field `tenant`"),
        ("[[roles]]\ntenant = \"a\"\nname = \"r\"\nrole_arn = \"x\"\ntags = { a = 1 }", "a text or { claim"),
        (
            "[[roles]]\ntenant = \"a\"\nname = \"r\"\nrole_arn = \"x\"\ntags = { a = { claims = \"/x\" } }",
            "a text or { claim",
        ),
        (
            "[[roles]]\ntenant = \"a\"\nname = \"r\"\nrole_arn = \"x\"\ntags = { a = { claim = \"/x\", b = 1 } }",
            "a text or { claim",
        ),
        (
            "[[rules]]\nid = 1\ntenant = \"a\"\nrole = \"r\"\nconditions = [{ pointer = \"/x\" }]",
            "exactly one of equals and contains",
        ),
        (
            "[[rules]]\nid = 1\ntenant = \"a\"\nrole = \"r\"\nconditions = [{ pointer = \"/x\", equals = 1, contains = 1 }]",
            "exactly one of equals and contains",
        ),
        (
            "[[rules]]\nid = 1\ntenant = \"a\"\nrole = \"r\"\nconditions = [{ pointer = \"/x\", equal = 1 }]",
            "unknown field `equal`",
        ),
        (
            "[[rules]]\nid = 1\ntenant = \"a\"\nrole = \"r\"\nconditions = [{ pointer = \"/x\", equals = 1.5 }]",
            "a text, a whole number or a truth value",
        ),
        (
            "[[rules]]\nid = 1\ntenant = \"a\"\nrole = \"r\"\nsubject = { subject = \"s\" }",
            "missing field `issuer`",
        ),
    ] {
        let error = toml::from_str::<MappingDocument>(text).unwrap_err().to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn what_is_left_out_is_the_narrow_default() {
    let text = r#"
        tenants = [{ id = "a", name = "A" }]
        subjects = [{ issuer = "i", subject = "s", tenant = "a" }]
        roles = [{ tenant = "a", name = "r", role_arn = "arn:aws:iam::111122223333:role/r" }]
        rules = [{ id = 1, tenant = "a", role = "r" }]
    "#;
    let document: MappingDocument = toml::from_str(text).unwrap();
    assert!(document.tenants[0].active && !document.tenants[0].admit_unknown_subjects);
    assert!(document.subjects[0].active);
    assert_eq!(document.roles[0].duration_seconds, 1800);
    assert_eq!(document.rules[0].priority, 100);
}
