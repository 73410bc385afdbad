//! Nobody ever works with another's credentials.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Stack, decision};

/// 200 people of 20 tenants call at once, each through one shared server: everyone reads their own tenant's data, nobody
/// another's, and AWS saw each call made by the session of the person who made it (SEC-57).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_interleaved_callers_each_work_as_themselves() {
    let stack = Stack::start().await;
    let callers = (0..200).map(|number| {
        let stack = &stack;
        async move {
            let (tenant, person) = (format!("t{}", number % 20), format!("person{number}"));
            let other = format!("t{}", (number + 1) % 20);
            let decision = decision(&tenant, &person);
            let own = json!({ "uri": format!("s3://{tenant}-data/who.txt") });
            let foreign = json!({ "uri": format!("s3://{other}-data/who.txt") });
            let (own, foreign, status) = tokio::join!(
                stack.call(&decision, "object_read", own),
                stack.call(&decision, "object_read", foreign),
                stack.call(&decision, "auth_status", json!({})),
            );
            assert_eq!(own["structuredContent"]["text"], format!("data of {tenant}"), "{own}");
            assert_eq!(foreign["isError"], true, "{foreign}");
            assert_eq!(status["structuredContent"]["source_identity"], person, "{status}");
            assert_eq!(status["structuredContent"]["tags"]["tenant"], tenant, "{status}");
        }
    });
    join_all(callers).await;

    let calls = stack.sim.calls();
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut reads = 0;
    for call in calls.iter().filter(|call| call.event_source.starts_with("s3")) {
        let identity = call.source_identity.clone().unwrap();
        let key = call.access_key_id.clone().unwrap();
        assert_eq!(*keys.entry(key).or_insert_with(|| identity.clone()), identity);
        assert_eq!(call.principal_tags["person"], identity);
        reads += 1;
    }
    assert_eq!((reads, keys.len()), (400, 200));
    let assumed = calls.iter().filter(|call| call.event_name == "AssumeRole").count();
    assert_eq!(assumed, 200, "one assumption a person");

    let lines = stack.audit_lines();
    let count = |action: &str| lines.iter().filter(|line| line["action"] == action).count();
    assert_eq!((count("role_assumption"), count("tool_call")), (200, 600));
    for line in lines.iter().filter(|line| line["action"] == "tool_call") {
        assert_eq!(line["tags"]["person"], line["source_identity"], "{line}");
    }
    stack.server.shutdown().await;
}

#[tokio::test]
async fn equal_decisions_share_a_session_and_different_ones_do_not() {
    let stack = Stack::start().await;
    let ada = decision("t1", "ada");
    let mut narrowed = ada.clone();
    narrowed.context.session_policy = Some("nothing".to_owned());
    let mut shorter = ada.clone();
    shorter.context.session_duration_seconds = 900;
    for (decision, assumptions) in [(&ada, 1), (&ada, 1), (&narrowed, 2), (&shorter, 3), (&ada, 3)] {
        stack.call(decision, "auth_status", json!({})).await;
        let assumed = stack.sim.calls().iter().filter(|call| call.event_name == "AssumeRole").count();
        assert_eq!(assumed, assumptions);
    }
    let read = json!({ "uri": "s3://t1-data/who.txt" });
    let refused = stack.call(&narrowed, "object_read", read).await;
    assert_eq!(refused["isError"], true, "the session policy denies everything: {refused}");
}

#[tokio::test]
async fn listings_show_what_the_role_may_and_no_more() {
    let stack = Stack::start().await;
    let ada = decision("t3", "ada");
    let buckets = stack.call(&ada, "bucket_list", json!({})).await;
    let names: Vec<_> = buckets["structuredContent"]["buckets"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 1, "{buckets}");
    assert_eq!(names[0]["name"], "t3-data");
    let own = stack.call(&ada, "s3_object_list", json!({ "bucket": "t3-data" })).await;
    assert_eq!(own["structuredContent"]["objects"][0]["uri"], "s3://t3-data/who.txt", "{own}");
    let foreign = stack.call(&ada, "s3_object_list", json!({ "bucket": "t4-data" })).await;
    let text = foreign["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("quilt-reader may not s3:ListBucket on s3://t4-data"), "{text}");
}
