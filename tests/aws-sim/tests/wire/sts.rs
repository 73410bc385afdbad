//! `AssumeRole` and `GetCallerIdentity`.

use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use aws_sdk_sts::types::PolicyDescriptorType;

use crate::world::{ACME, ANONYMOUS, GLOBEX, OPEN, PARTNER, UNTAGGED, World, code, refusal, session, tag};

#[tokio::test]
async fn callers_are_told_who_they_are() {
    let world = World::start().await;
    let user = world.sts(World::operator()).get_caller_identity().send().await.unwrap();
    assert_eq!(user.arn(), Some("arn:aws:iam::111122223333:user/operator"));
    assert_eq!(user.account(), Some("111122223333"));

    let person = world.person(ACME, "acme", "okta-ada").await;
    let person = world.sts(person).get_caller_identity().send().await.unwrap();
    assert_eq!(person.arn(), Some("arn:aws:sts::111122223333:assumed-role/acme/mcp"));
    let id = person.user_id().unwrap();
    assert!(id.starts_with("AROA") && id.ends_with(":mcp") && id.len() == 25, "{id}");
}

#[tokio::test]
async fn a_session_is_described_completely() {
    let world = World::start().await;
    let answer = world
        .sts(world.task().await)
        .assume_role()
        .role_arn(ACME)
        .role_session_name("mcp")
        .source_identity("okta-ada")
        .tags(tag("tenant", "acme"))
        .tags(tag("team", "Zürich 1/2 = ok"))
        .duration_seconds(900)
        .send()
        .await
        .unwrap();
    let user = answer.assumed_role_user().unwrap();
    assert_eq!(user.arn(), "arn:aws:sts::111122223333:assumed-role/acme/mcp");
    assert_eq!(answer.source_identity(), Some("okta-ada"));
    #[expect(deprecated, reason = "clients of today still read it")]
    let packed = answer.packed_policy_size();
    assert_eq!(packed, Some(1));
    let credentials = answer.credentials().unwrap();
    assert!(credentials.access_key_id().starts_with("ASIA") && credentials.access_key_id().len() == 20);
    assert!(credentials.session_token().ends_with("+/=="), "a token must survive encoding");
    assert_eq!(answer.session_token_size(), i32::try_from(credentials.session_token().len()).ok());

    let call = world.sim.calls().pop().unwrap();
    assert_eq!(call.event_name, "AssumeRole");
    assert_eq!(call.source_identity.as_deref(), Some("okta-ada"));
    assert_eq!(
        call.caller_arn.as_deref(),
        Some("arn:aws:sts::111122223333:assumed-role/mcp-task/aws-sim-task")
    );
    assert_eq!(call.principal_tags["tenant"], "acme", "a session tag replaces the role's");
    assert_eq!(call.principal_tags["cost-center"], "42", "the role's other tags stay");
    assert_eq!(call.request_parameters["roleArn"], ACME);
    assert_eq!(call.request_parameters["principalTags"]["tenant"], "acme");
    let record = call.to_cloudtrail();
    assert_eq!(record["sourceIdentity"], "okta-ada");
    assert!(record["userIdentity"]["sessionContext"]["sourceIdentity"].is_null(), "the task role has none");
    assert_eq!(call.error_code, None);
}

/// What is tried, the call, and the code and words of its refusal.
type Refused = (&'static str, AssumeRoleFluentBuilder, &'static str, &'static str);

async fn expect_refusals(cases: Vec<Refused>) {
    for (name, call, expected, words) in cases {
        let (code, message) = refusal(call.send().await);
        assert_eq!(code, expected, "{name}: {message}");
        assert!(message.contains(words), "{name}: {message}");
    }
}

fn long(length: usize) -> String {
    "a".repeat(length)
}

#[tokio::test]
async fn names_and_durations_keep_the_rules() {
    let world = World::start().await;
    let client = world.sts(World::operator());
    let base = || client.assume_role().role_arn(OPEN).role_session_name("s1");
    let v = "ValidationError";
    expect_refusals(vec![
        ("role arn", base().role_arn("not-an-arn-but-long-enough"), v, "is invalid"),
        ("user arn", base().role_arn("arn:aws:iam::111122223333:user/ada"), v, "is invalid"),
        ("short arn", base().role_arn("arn"), v, "'roleArn'"),
        ("session name of one", base().role_session_name("x"), v, "'roleSessionName'"),
        ("session name of 65", base().role_session_name(long(65)), v, "'roleSessionName'"),
        ("session name with a space", base().role_session_name("a b"), v, r"pattern: [\w+=,.@-]*"),
        ("session name with an umlaut", base().role_session_name("zü"), v, "'roleSessionName'"),
        ("session name with a newline", base().role_session_name("ab\n"), v, "'roleSessionName'"),
        ("source identity of one", base().source_identity("x"), v, "'sourceIdentity'"),
        ("source identity of 65", base().source_identity(long(65)), v, "'sourceIdentity'"),
        ("source identity auth0|x", base().source_identity("auth0|x"), v, "'sourceIdentity'"),
        ("source identity aws:x", base().source_identity("aws:x"), v, "'sourceIdentity'"),
        ("external id of one", base().external_id("x"), v, "'externalId'"),
        ("external id with a space", base().external_id("a b"), v, "'externalId'"),
        ("external id of 1225", base().external_id(long(1225)), v, "'externalId'"),
        ("899 seconds", base().duration_seconds(899), v, "greater than or equal to 900"),
        ("43201 seconds", base().duration_seconds(43201), v, "less than or equal to 43200"),
        ("negative seconds", base().duration_seconds(-1), v, "'durationSeconds'"),
        ("longer than the role", base().duration_seconds(3601), v, "MaxSessionDuration"),
        ("MFA", base().serial_number("arn:aws:iam::111122223333:mfa/x"), "InvalidParameter", "SerialNumber"),
    ])
    .await;
    let accepted = [
        base().role_session_name("a=,.@-_+"),
        base().role_session_name(long(64)),
        base().source_identity("okta=7C1,2.3@x-y_z+"),
        base().external_id("a/b:c=d,e.f@g-h_i+"),
        base().external_id(long(1224)),
        base().duration_seconds(900),
        base().duration_seconds(3600),
    ];
    for call in accepted {
        call.send().await.unwrap();
    }
    let (code, message) = refusal(client.assume_role().role_arn("arn").role_session_name("x").send().await);
    assert_eq!(code, v);
    assert!(message.starts_with("2 validation errors detected: "), "{message}");
}

#[tokio::test]
async fn tags_keep_the_rules() {
    let world = World::start().await;
    let client = world.sts(World::operator());
    let base = || client.assume_role().role_arn(OPEN).role_session_name("s1");
    let many = |count: usize, value: &str| {
        (0..count).fold(base(), |call, number| call.tags(tag(&format!("k{number}"), value)))
    };
    let (v, invalid) = ("ValidationError", "InvalidParameterValue");
    expect_refusals(vec![
        ("51 tags", many(51, "v"), v, "'tags'"),
        ("empty key", base().tags(tag("", "v")), v, "'tags.1.member.key'"),
        ("key of 129", base().tags(tag(&long(129), "v")), v, "'tags.1.member.key'"),
        ("value of 257", base().tags(tag("k", &long(257))), v, "'tags.1.member.value'"),
        ("value with a comma", base().tags(tag("k", "a,b")), v, "'tags.1.member.value'"),
        ("value with a newline", base().tags(tag("k", "a\nb")), v, "'tags.1.member.value'"),
        ("value with an emoji", base().tags(tag("k", "😀")), v, "'tags.1.member.value'"),
        ("reserved key", base().tags(tag("AWS:x", "v")), invalid, "aws:"),
        ("key twice", base().tags(tag("Team", "a")).tags(tag("tEAM", "b")), invalid, "insensitive"),
        ("transitive unknown", base().tags(tag("k", "v")).transitive_tag_keys("l"), invalid, "transitive"),
        ("too much together", many(20, &long(256)), "PackedPolicyTooLarge", "%"),
    ])
    .await;
    let accepted = [
        many(50, "v"),
        base().tags(tag("k", "")),
        base().tags(tag(&long(128), &long(256))),
        base().tags(tag("Straße 1_.:/=+-@", "日本語\u{a0}x")),
        base().tags(tag("k", "v")).transitive_tag_keys("K"),
    ];
    for call in accepted {
        call.send().await.unwrap();
    }
}

#[tokio::test]
async fn session_policies_keep_the_rules() {
    let world = World::start().await;
    let client = world.sts(World::operator());
    let base = || client.assume_role().role_arn(OPEN).role_session_name("s1");
    let arn = |name: &str| {
        PolicyDescriptorType::builder().arn(format!("arn:aws:iam::111122223333:policy/{name}")).build()
    };
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let padded = |length: usize| format!("{policy}{}", " ".repeat(length - policy.len()));
    let before_effect = |member: &str| policy.replace("\"Effect\"", &format!("{member},\"Effect\""));
    let (malformed, invalid) = ("MalformedPolicyDocument", "InvalidParameterValue");
    expect_refusals(vec![
        ("no JSON", base().policy("{"), malformed, "JSON"),
        ("2049 characters", base().policy(padded(2049)), "ValidationError", "2048"),
        ("a principal", base().policy(before_effect("\"Principal\":\"*\"")), malformed, "Principal"),
        ("a repeated member", base().policy(before_effect("\"Effect\":\"Deny\"")), malformed, "repeated"),
        ("an unknown ARN", base().policy_arns(arn("none")), invalid, "does not exist"),
        ("11 ARNs", (0..11).fold(base(), |call, _| call.policy_arns(arn("read-only"))), invalid, "10"),
    ])
    .await;
    let ten = (0..10).fold(base(), |call, _| call.policy_arns(arn("read-only")));
    for call in [base().policy(padded(2048)), base().policy(policy).policy_arns(arn("read-only")), ten] {
        call.send().await.unwrap();
    }
}

#[tokio::test]
async fn trust_decides_each_of_the_three_actions() {
    let world = World::start().await;
    let task = world.sts(world.task().await);
    let base = |role: &str| task.assume_role().role_arn(role).role_session_name("mcp");
    let user = "User: arn:aws:sts::111122223333:assumed-role/mcp-task/aws-sim-task";
    let denied = [
        (base(ACME), "sts:AssumeRole", ACME, ""),
        (base(ACME).tags(tag("tenant", "acme")), "sts:AssumeRole", ACME, ""),
        (base(ACME).tags(tag("tenant", "acme")).source_identity("entra-ada"), "sts:AssumeRole", ACME, ""),
        (base(ACME).tags(tag("tenant", "globex")).source_identity("okta-ada"), "sts:AssumeRole", ACME, ""),
        (
            base(ACME).tags(tag("tenant", "acme")).tags(tag("admin", "1")).source_identity("okta-ada"),
            "sts:AssumeRole",
            ACME,
            "",
        ),
        (base(UNTAGGED).tags(tag("tenant", "acme")), "sts:TagSession", UNTAGGED, ""),
        (base(UNTAGGED).source_identity("okta-ada"), "sts:SetSourceIdentity", UNTAGGED, ""),
        (
            base(ANONYMOUS).tags(tag("a", "b")).source_identity("okta-ada"),
            "sts:SetSourceIdentity",
            ANONYMOUS,
            "",
        ),
        (
            base(ANONYMOUS).role_session_name("forbidden"),
            "sts:AssumeRole",
            ANONYMOUS,
            " with an explicit deny in a resource-based policy",
        ),
        (
            base("arn:aws:iam::111122223333:role/tenants/none"),
            "sts:AssumeRole",
            "arn:aws:iam::111122223333:role/tenants/none",
            "",
        ),
        (
            base("arn:aws:iam::111122223333:role/acme"),
            "sts:AssumeRole",
            "arn:aws:iam::111122223333:role/acme",
            "",
        ),
        (
            base("arn:aws:iam::111122223333:role/mcp-task"),
            "sts:AssumeRole",
            "arn:aws:iam::111122223333:role/mcp-task",
            "",
        ),
        (base(PARTNER), "sts:AssumeRole", PARTNER, ""),
        (base(PARTNER).external_id("e-43"), "sts:AssumeRole", PARTNER, ""),
    ];
    for (call, action, resource, suffix) in denied {
        let (code, message) = refusal(call.send().await);
        assert_eq!(code, "AccessDenied");
        let expected =
            format!("{user} is not authorized to perform: {action} on resource: {resource}{suffix}");
        assert_eq!(message, expected);
    }
    for call in [base(UNTAGGED), base(ANONYMOUS).tags(tag("a", "b")), base(PARTNER).external_id("e-42")] {
        call.send().await.unwrap();
    }
    // The same roles for a user without any policy: trust of the account delegates to nothing.
    let nobody = world.sts(World::nobody());
    for role in [ACME, OPEN, UNTAGGED, PARTNER] {
        let call = nobody.assume_role().role_arn(role).role_session_name("mcp").external_id("e-42");
        assert_eq!(code(call.send().await), "AccessDenied", "{role}");
    }
    // And for one with all policies: trust of another principal is not replaced.
    let operator = world.sts(World::operator());
    let call = operator.assume_role().role_arn(GLOBEX).role_session_name("mcp").tags(tag("tenant", "globex"));
    assert_eq!(code(call.send().await), "AccessDenied");
}

#[tokio::test]
async fn a_chain_keeps_identity_tags_and_limits() {
    let world = World::start().await;
    let task = world.sts(world.task().await);
    let first = task.assume_role().role_arn(ACME).role_session_name("mcp").source_identity("okta-ada");
    let first = first.tags(tag("tenant", "acme")).tags(tag("team", "red")).transitive_tag_keys("tenant");
    let person = world.sts(session(first).await);
    let next = |role: &str| person.assume_role().role_arn(role).role_session_name("next");

    // 3600 seconds at most, though the role would allow more to a user.
    let long = task.assume_role().role_arn(ACME).role_session_name("mcp").source_identity("okta-ada");
    let (long, message) = refusal(long.tags(tag("tenant", "acme")).duration_seconds(3601).send().await);
    assert_eq!(long, "ValidationError");
    assert!(message.contains("role chaining"), "{message}");

    next(OPEN).send().await.unwrap();
    let call = world.sim.calls().pop().unwrap();
    assert_eq!(call.source_identity.as_deref(), Some("okta-ada"));
    assert_eq!(call.principal_tags.len(), 1, "only the transitive tag goes on: {:?}", call.principal_tags);
    assert_eq!(call.principal_tags["tenant"], "acme");

    next(OPEN).source_identity("okta-ada").send().await.unwrap();
    let (changed, message) = refusal(next(OPEN).source_identity("okta-eve").send().await);
    assert_eq!(changed, "AccessDenied");
    assert!(message.contains("sts:SetSourceIdentity"), "{message}");

    for value in ["globex", "acme"] {
        let (overridden, message) = refusal(next(OPEN).tags(tag("TENANT", value)).send().await);
        assert_eq!(overridden, "InvalidParameterValue");
        assert!(message.contains("conflicts with a transitive tag key"), "{message}");
    }
    next(OPEN).tags(tag("team", "blue")).send().await.unwrap();

    // What the chain carries must be permitted at every step.
    let (code, message) = refusal(next(UNTAGGED).send().await);
    assert_eq!(code, "AccessDenied");
    assert!(message.contains("sts:TagSession"), "{message}");
    let (code, message) = refusal(next(ANONYMOUS).send().await);
    assert_eq!(code, "AccessDenied");
    assert!(message.contains("sts:SetSourceIdentity"), "{message}");

    // Two steps on, tag and identity are still there.
    let second = world.sts(session(next(OPEN)).await);
    second.assume_role().role_arn(OPEN).role_session_name("third").send().await.unwrap();
    let call = world.sim.calls().pop().unwrap();
    assert_eq!(call.source_identity.as_deref(), Some("okta-ada"));
    assert_eq!(call.principal_tags["tenant"], "acme");
}
