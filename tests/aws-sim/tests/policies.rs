//! The policy engine against a committed table, an independent implementation, and its own laws.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up fails the test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use aws_sim::PolicyDocument;
use aws_sim::iam::{Context, Decision, Policies, Policy, PolicyKind, Principal, Request, evaluate};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde::Deserialize;
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    principal: CasePrincipal,
    action: String,
    resource: String,
    resource_account: String,
    context: BTreeMap<String, Value>,
    identity: Vec<Value>,
    session: Option<Vec<Value>>,
    resource_policy: Option<Vec<Value>>,
    expect: String,
    /// Where the other implementation is known to be more lenient, and why this one is not.
    reference: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum CasePrincipal {
    User { user: String },
    Session { role: String, session: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    expect: String,
    why: String,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("cases/policies.json")).unwrap()
}

fn policy(statements: &[Value], kind: PolicyKind) -> Option<Policy> {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    (!statements.is_empty()).then(|| Policy::parse(&document.into(), kind).unwrap())
}

fn context(values: &BTreeMap<String, Value>) -> Context {
    let mut context = Context::new();
    for (key, value) in values {
        match value {
            Value::Array(values) => context.set_many(key, values.iter().map(|value| value.as_str().unwrap())),
            value => context.set(key, value.as_str().unwrap()),
        }
    }
    context
}

fn decide(case: &Case) -> &'static str {
    let principal = match &case.principal {
        CasePrincipal::User { user } => Principal::user(ACCOUNT, user),
        CasePrincipal::Session { role, session } => Principal::session(role, session).unwrap(),
    };
    let trust = case.action.starts_with("sts:");
    let kind = if trust { PolicyKind::Trust } else { PolicyKind::Resource };
    let identity: Vec<Policy> = policy(&case.identity, PolicyKind::Identity).into_iter().collect();
    let session: Option<Vec<Policy>> = case
        .session
        .as_ref()
        .map(|statements| policy(statements, PolicyKind::Identity).into_iter().collect());
    let resource = case.resource_policy.as_ref().and_then(|statements| policy(statements, kind));
    let resource_arn = if case.resource == "*" { "arn:aws:s3:::*" } else { &case.resource };
    let context = context(&case.context);
    let request = Request {
        principal: &principal,
        action: &case.action,
        resource: resource_arn,
        resource_account: &case.resource_account,
        context: &context,
    };
    let policies =
        Policies { identity: &identity, session: session.as_deref(), resource: resource.as_ref(), trust };
    match evaluate(&request, &policies) {
        Decision::Allowed => "Allowed",
        Decision::Denied(denial) if denial.explicit => "ExplicitlyDenied",
        Decision::Denied(_) => "ImplicitlyDenied",
    }
}

#[test]
fn the_table_is_decided_as_written() {
    let cases = cases();
    assert!(cases.len() >= 40, "the table has shrunk");
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| decide(case) != case.expect)
        .map(|case| format!("{}: expected {}, decided {}", case.name, case.expect, decide(case)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_independent_implementation_agrees() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let module = here.join("iam-simulate/node_modules/@cloud-copilot/iam-simulate");
    assert!(module.is_dir(), "{} is missing: run `cargo xtask setup`", module.display());
    let output = Command::new("node")
        .arg(here.join("iam-simulate/run.mjs"))
        .arg(here.join("tests/cases/policies.json"))
        .output()
        .expect("node does not run: `cargo xtask setup` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let decisions: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();

    let mut wrong = Vec::new();
    for case in cases() {
        let decided = &decisions[&case.name];
        let expected = case.reference.as_ref().map_or(&case.expect, |reference| &reference.expect);
        if decided != expected {
            wrong.push(format!("{}: expected {expected}, decided {decided}", case.name));
        }
        if let Some(reference) = &case.reference {
            let stricter =
                case.expect != "Allowed" && reference.expect == "Allowed" && !reference.why.is_empty();
            assert!(stricter, "{}: only a stricter decision may differ, with a reason", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_not_understood_is_not_loaded() {
    let statement = |changes: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                statement.as_object_mut().unwrap().remove(name);
            } else {
                statement[name] = value.clone();
            }
        }
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    let condition = |condition: Value| statement(json!({"Condition": condition}));
    let documents = [
        json!([]),
        json!({"Version": "2012-10-17"}),
        json!({"Version": "2012-10-17", "Statement": []}),
        json!({"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}),
        json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}),
        json!({"Version": "2012-10-17", "statement": []}),
        json!({"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Sid": "a", "Effect": "Deny", "Action": "*", "Resource": "*"}]}),
        statement(json!({"Effect": "allow"})),
        statement(json!({"Effect": null})),
        statement(json!({"Action": null})),
        statement(json!({"Action": []})),
        statement(json!({"Action": 1})),
        statement(json!({"Action": "GetObject"})),
        statement(json!({"Action": "s3:"})),
        statement(json!({"Action": "*:GetObject"})),
        statement(json!({"Action": "s3:Get Object"})),
        statement(json!({"NotAction": "s3:PutObject"})),
        statement(json!({"Resource": null})),
        statement(json!({"Resource": "acme-data"})),
        statement(json!({"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/x"})),
        statement(json!({"Resource": "arn:aws:s3:::b/${}"})),
        statement(json!({"NotResource": "*"})),
        statement(json!({"Principal": "*"})),
        statement(json!({"Resources": "*"})),
        statement(json!({"Conditions": {}})),
        condition(json!([])),
        condition(json!({"StringEqual": {"aws:username": "a"}})),
        condition(json!({"stringequals": {"aws:username": "a"}})),
        condition(json!({"StringEqualsIfexists": {"aws:username": "a"}})),
        condition(json!({"ForSomeValues:StringEquals": {"aws:TagKeys": "a"}})),
        condition(json!({"NullIfExists": {"aws:TagKeys": "true"}})),
        condition(json!({"ForAllValues:Null": {"aws:TagKeys": "true"}})),
        condition(json!({"BinaryEquals": {"aws:x": "QQ=="}})),
        condition(json!({"Null": {"aws:TagKeys": "yes"}})),
        condition(json!({"Bool": {"aws:SecureTransport": "yes"}})),
        condition(json!({"NumericEquals": {"s3:max-keys": "ten"}})),
        condition(json!({"NumericEquals": {"s3:max-keys": "NaN"}})),
        condition(json!({"DateLessThan": {"aws:CurrentTime": "tomorrow"}})),
        condition(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}})),
        condition(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/+8"}})),
        condition(json!({"ArnLike": {"aws:PrincipalArn": "role/x"}})),
        condition(json!({"StringEquals": {"username": "a"}})),
        condition(json!({"StringEquals": {"aws:username": []}})),
        condition(json!({"StringEquals": {"aws:username": null}})),
        condition(json!({"StringEquals": {"aws:username": {"a": "b"}}})),
    ];
    for document in documents {
        let parsed = Policy::parse(&document.clone().into(), PolicyKind::Identity);
        assert!(parsed.is_err(), "{document}");
    }
}

#[test]
fn principals_are_named_exactly() {
    let trust = |changes: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole"});
        statement.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        PolicyDocument::from(json!({"Version": "2012-10-17", "Statement": statement}))
    };
    assert!(Policy::parse(&trust(json!({"Principal": {"AWS": ACCOUNT}})), PolicyKind::Trust).is_ok());
    let refused = [
        json!({}),
        json!({"Principal": {}}),
        json!({"Principal": []}),
        json!({"Principal": "arn:aws:iam::111122223333:root"}),
        json!({"Principal": {"AWS": []}}),
        json!({"Principal": {"AWS": "11112222333"}}),
        json!({"Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}}),
        json!({"Principal": {"AWS": "arn:aws:iam::*:root"}}),
        json!({"Principal": {"AWS": "arn:aws:iam::111122223333:role/"}}),
        json!({"Principal": {"AWS": "arn:aws:iam::111122223333:role/${aws:username}"}}),
        json!({"Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/r"}}),
        json!({"Principal": {"aws": ACCOUNT}}),
        json!({"Principal": {"Service": "*"}}),
        json!({"Principal": {"Federated": "accounts.google.com"}}),
        json!({"NotPrincipal": {"AWS": ACCOUNT}}),
        json!({"Principal": "*", "NotPrincipal": {"AWS": ACCOUNT}}),
        json!({"Principal": "*", "Resource": "*"}),
    ];
    for changes in refused {
        assert!(Policy::parse(&trust(changes.clone()), PolicyKind::Trust).is_err(), "{changes}");
    }
}

#[test]
fn repeated_members_are_refused_in_policy_text() {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}"#;
    assert!(Policy::parse_text(text, PolicyKind::Identity).is_err());
    assert!(Policy::parse_text("{", PolicyKind::Identity).is_err());
}

/// A statement over a vocabulary so small that random ones meet random requests.
fn statements(effect: &'static str, kind: PolicyKind) -> impl Strategy<Value = Value> {
    let action =
        prop_oneof![Just("*"), Just("s3:*"), Just("s3:Get*"), Just("s3:GetObject"), Just("s3:PutObject")];
    let resource = prop_oneof![
        Just("*"),
        Just("arn:aws:s3:::a/*"),
        Just("arn:aws:s3:::a/${aws:PrincipalTag/t}"),
        Just("arn:aws:s3:::a/x"),
        Just("arn:aws:s3:::a/${aws:PrincipalTag/t, 'x'}"),
    ];
    let operator = prop_oneof![
        Just("StringEquals"),
        Just("StringNotEquals"),
        Just("StringLikeIfExists"),
        Just("StringNotLike"),
        Just("ForAllValues:StringEquals"),
        Just("ForAnyValue:StringNotEquals"),
        Just("ArnNotLike"),
    ];
    let value = prop_oneof![Just("x"), Just("*"), Just("${aws:PrincipalTag/t}"), Just("${aws:username}")];
    let key = prop_oneof![Just("aws:PrincipalTag/t"), Just("aws:TagKeys"), Just("aws:username")];
    let condition = (operator, key, value).prop_map(|(operator, key, value)| {
        let value =
            if operator.contains("Arn") { "arn:aws:iam::1:role/${aws:PrincipalTag/t}" } else { value };
        json!({operator: {key: value}})
    });
    (action, resource, proptest::option::of(condition), any::<bool>(), any::<bool>()).prop_map(
        move |(action, resource, condition, not_action, not_resource)| {
            let mut statement = json!({"Effect": effect});
            statement[if not_action { "NotAction" } else { "Action" }] = action.into();
            statement[if not_resource { "NotResource" } else { "Resource" }] = resource.into();
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            if kind == PolicyKind::Resource {
                statement["Principal"] = "*".into();
            }
            statement
        },
    )
}

/// A policy set and a request.
#[derive(Clone, Debug)]
struct World {
    identity: Vec<Value>,
    session: Option<Vec<Value>>,
    resource: Vec<Value>,
    action: &'static str,
    key: &'static str,
    tag: Option<&'static str>,
    other_account: bool,
}

impl World {
    fn allowed(&self) -> bool {
        let principal = Principal::session("arn:aws:iam::111122223333:role/r", "s").unwrap();
        let identity: Vec<Policy> = policy(&self.identity, PolicyKind::Identity).into_iter().collect();
        let session: Option<Vec<Policy>> =
            self.session.as_ref().map(|session| policy(session, PolicyKind::Identity).into_iter().collect());
        let resource = policy(&self.resource, PolicyKind::Resource);
        let mut context = Context::new();
        if let Some(tag) = self.tag {
            context.set("aws:PrincipalTag/t", tag);
        }
        let arn = format!("arn:aws:s3:::a/{}", self.key);
        let request = Request {
            principal: &principal,
            action: self.action,
            resource: &arn,
            resource_account: if self.other_account { "444455556666" } else { ACCOUNT },
            context: &context,
        };
        let policies = Policies {
            identity: &identity,
            session: session.as_deref(),
            resource: resource.as_ref(),
            trust: false,
        };
        evaluate(&request, &policies) == Decision::Allowed
    }
}

fn mixed(kind: PolicyKind) -> impl Strategy<Value = Vec<Value>> {
    let statement = prop_oneof![3 => statements("Allow", kind), 1 => statements("Deny", kind)];
    proptest::collection::vec(statement, 0..4)
}

fn worlds() -> impl Strategy<Value = World> {
    (
        mixed(PolicyKind::Identity),
        proptest::option::of(mixed(PolicyKind::Identity)),
        mixed(PolicyKind::Resource),
        prop_oneof![Just("s3:GetObject"), Just("s3:PutObject")],
        prop_oneof![Just("x"), Just("y"), Just("x/y")],
        proptest::option::of(prop_oneof![Just("x"), Just("y"), Just("*"), Just("")]),
        any::<bool>(),
    )
        .prop_map(|(identity, session, resource, action, key, tag, other_account)| World {
            identity,
            session,
            resource,
            action,
            key,
            tag,
            other_account,
        })
}

fn without_some_allows(statements: &[Value]) -> impl Strategy<Value = Vec<Value>> + use<> {
    let (allows, denies): (Vec<Value>, Vec<Value>) =
        statements.iter().cloned().partition(|statement| statement["Effect"] == "Allow");
    let count = allows.len();
    subsequence(allows, 0..=count).prop_map(move |kept| [kept, denies.clone()].concat())
}

fn fewer_allows() -> impl Strategy<Value = (World, World)> {
    worlds().prop_flat_map(|world| {
        let session = world.session.clone().unwrap_or_default();
        let smaller = (
            without_some_allows(&world.identity),
            without_some_allows(&session),
            without_some_allows(&world.resource),
        );
        smaller.prop_map(move |(identity, session, resource)| {
            let session = world.session.as_ref().map(|_| session);
            (world.clone(), World { identity, session, resource, ..world.clone() })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn removing_allows_never_allows((world, smaller) in fewer_allows()) {
        prop_assert!(world.allowed() || !smaller.allowed());
    }

    #[test]
    fn adding_a_denial_never_allows(
        world in worlds(),
        identity in statements("Deny", PolicyKind::Identity),
        resource in statements("Deny", PolicyKind::Resource),
    ) {
        for place in 0..3 {
            let mut larger = world.clone();
            match place {
                0 => larger.identity.push(identity.clone()),
                1 => larger.session.get_or_insert_default().push(identity.clone()),
                _ => larger.resource.push(resource.clone()),
            }
            prop_assert!(world.allowed() || !larger.allowed());
        }
    }

    #[test]
    fn a_session_policy_never_allows_more(world in worlds(), session in mixed(PolicyKind::Identity)) {
        let unlimited = World { session: None, ..world.clone() };
        let limited = World { session: Some(session), ..world };
        prop_assert!(unlimited.allowed() || !limited.allowed());
    }

    #[test]
    fn another_account_never_allows_more(world in worlds()) {
        let own = World { other_account: false, ..world.clone() };
        let other = World { other_account: true, ..world };
        prop_assert!(own.allowed() || !other.allowed());
    }

    #[test]
    fn deny_everything_denies_everything(mut world in worlds()) {
        world.identity.push(json!({"Effect": "Deny", "Action": "*", "Resource": "*"}));
        prop_assert!(!world.allowed());
    }

    #[test]
    fn arbitrary_text_is_parsed_or_refused_without_panic(text in ".{0,200}", pattern in "[a-z:*?${}, '/.]{0,40}") {
        let _ = Policy::parse_text(&text, PolicyKind::Trust);
        let statement = json!({"Effect": "Allow", "Action": pattern, "Resource": pattern,
            "Condition": {"StringLike": {"aws:username": pattern}}});
        let document = json!({"Version": "2012-10-17", "Statement": statement});
        let _ = Policy::parse(&document.into(), PolicyKind::Identity);
        // What a literal pattern matches is itself.
        let plain: String = pattern.chars().filter(|c| !"*?${}".contains(*c)).collect();
        let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"aws:username": plain}}});
        let document = json!({"Version": "2012-10-17", "Statement": statement});
        let parsed = Policy::parse(&document.into(), PolicyKind::Identity).unwrap();
        let mut context = Context::new();
        context.set("aws:username", plain.as_str());
        let principal = Principal::user(ACCOUNT, "u");
        let request = Request { principal: &principal, action: "s3:GetObject", resource: "arn:aws:s3:::a/x",
            resource_account: ACCOUNT, context: &context };
        let policies = Policies { identity: std::slice::from_ref(&parsed), ..Policies::default() };
        prop_assert_eq!(evaluate(&request, &policies), Decision::Allowed);
    }
}
