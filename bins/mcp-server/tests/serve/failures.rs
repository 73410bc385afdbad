//! What the caller and the operator are told when AWS or the audit log says no.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use audit::{MemorySink, Sink};
use aws_sim::{Fault, FaultEffect};
use serde_json::json;

use crate::support::{ROLE, Stack, decision, headers, request_id, tool_call};

const ALL: [&str; 3] = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];

/// The tool result says which permission is missing on which role; audit has the same as a word.
#[tokio::test]
async fn a_missing_permission_of_sts_is_named() {
    for (missing, reason) in [
        ("sts:AssumeRole", "sts_denied_assume_role"),
        ("sts:TagSession", "sts_denied_tag_session"),
        ("sts:SetSourceIdentity", "sts_denied_set_source_identity"),
    ] {
        let trusted: Vec<&str> = ALL.into_iter().filter(|action| *action != missing).collect();
        let stack = Stack::trusting(&trusted).await;
        let result = stack.call(&decision("t1", "ada"), "bucket_list", json!({})).await;
        assert_eq!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(&format!("{missing} is missing")) && text.contains(ROLE), "{text}");
        assert!(!text.contains("user/task"), "the server's own identity is for the log: {text}");
        let read = json!({ "uri": "s3://t1-data/who.txt" });
        assert_eq!(stack.call(&decision("t1", "ada"), "object_read", read).await["isError"], true);
        let to_s3 = stack.sim.calls().into_iter().find(|call| call.event_source.starts_with("s3"));
        assert!(to_s3.is_none(), "without the caller's credentials S3 is not called: {to_s3:?}");
        let lines = stack.audit_lines();
        let assumption = lines.iter().find(|line| line["action"] == "role_assumption").unwrap();
        assert_eq!((&assumption["outcome"], &assumption["reason"]), (&json!("denied"), &json!(reason)));
    }
}

#[tokio::test]
async fn faults_of_sts_are_told_and_pass() {
    let stack = Stack::start().await;
    for (effect, times, words) in [
        (FaultEffect::Throttle, 3, "throttling"),
        (FaultEffect::PackedPolicyTooLarge, 1, "shorten the session policy"),
        (FaultEffect::RegionDisabled, 1, "not active in the configured region"),
        (FaultEffect::Unavailable, 3, "STS failed"),
    ] {
        stack.sim.fail(Fault { operation: "sts:AssumeRole".to_owned(), times, effect });
        // Each a person of their own: a throttled request is not repeated for a second.
        let result =
            stack.call(&decision("t1", words.split(' ').next().unwrap()), "bucket_list", json!({})).await;
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(words), "{text}");
    }
    stack.sim.clear_faults();
    let result = stack.call(&decision("t1", "ada"), "bucket_list", json!({})).await;
    assert_eq!(result["isError"], false, "{result}");
}

#[tokio::test]
async fn tool_calls_are_recorded_with_the_decision_and_the_request() {
    let stack = Stack::start().await;
    stack.call(&decision("t1", "ada"), "object_read", json!({ "uri": "s3://t2-data/who.txt" })).await;
    let lines = stack.audit_lines();
    let call = lines.iter().find(|line| line["action"] == "tool_call").unwrap();
    for (member, value) in [("outcome", "denied"), ("reason", "aws_denied"), ("target", "object_read")] {
        assert_eq!(call[member], value, "{member}: {call}");
    }
    let assumption = lines.iter().find(|line| line["action"] == "role_assumption").unwrap();
    for (member, value) in [
        ("tenant", "t1"),
        ("source_identity", "ada"),
        ("role_arn", ROLE),
        ("policy_id", "rule-1"),
        ("decision_id", "d-t1-ada"),
        ("request_id", request_id().as_str()),
    ] {
        for line in [call, assumption] {
            assert_eq!(line[member], value, "{member}: {line}");
        }
    }
    assert_eq!((&call["tags"]["tenant"], &call["tags"]), (&json!("t1"), &assumption["tags"]));
    let aws = stack.sim.calls().into_iter().find(|call| call.event_name == "AssumeRole").unwrap();
    assert_eq!(assumption["target"], format!("sts:AssumeRole/{}", aws.request_id));
}

/// A sink that can be broken and mended.
struct Breakable {
    broken: Arc<AtomicBool>,
    inner: MemorySink,
}

impl Sink for Breakable {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("disk full"));
        }
        self.inner.write(lines)
    }
}

#[tokio::test]
async fn while_nothing_can_be_recorded_nothing_is_done() {
    let (broken, sink) = (Arc::new(AtomicBool::new(false)), MemorySink::default());
    let audit = Breakable { broken: Arc::clone(&broken), inner: sink.clone() };
    let stack = Stack::recording_to(&ALL, audit, sink).await;
    let ada = decision("t1", "ada");
    stack.call(&ada, "auth_status", json!({})).await;
    assert_eq!(stack.ready().await, 200);
    stack.log.flush();

    broken.store(true, Ordering::SeqCst);
    // The first record after the breakage is what finds out.
    stack.call(&ada, "auth_status", json!({})).await;
    stack.log.flush();
    let (status, answer) = stack.send(headers(&ada), &tool_call("auth_status", &json!({}))).await;
    assert_eq!((status, &answer["error"]["data"]["reason"]), (503, &json!("audit_unavailable")));
    assert_eq!(stack.ready().await, 503);

    broken.store(false, Ordering::SeqCst);
    // A refusal, too, is for the sink, which thereby is found to work again.
    let (status, _) = stack.send(headers(&ada), &tool_call("auth_status", &json!({}))).await;
    assert!(matches!(status, 200 | 503), "{status}");
    stack.log.flush();
    let result = stack.call(&ada, "auth_status", json!({})).await;
    assert_eq!(result["isError"], false);
    assert_eq!(stack.ready().await, 200);
    let lines = stack.audit_lines();
    let calls = lines.iter().filter(|line| line["action"] == "tool_call").count();
    let refusals = lines.iter().filter(|line| line["reason"] == "audit_unavailable").count();
    assert_eq!(calls + refusals, 5, "also what ran before the breakage was known: {lines:?}");
}

/// Whoever goes away half way leaves a record all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_call_is_recorded() {
    let stack = Stack::start().await;
    let ada = decision("t1", "ada");
    stack.call(&ada, "auth_status", json!({})).await;
    let effect = FaultEffect::DelayMillis(60_000);
    stack.sim.fail(Fault { operation: "s3:GetObject".to_owned(), times: 1, effect });
    let read = tool_call("object_read", &json!({ "uri": "s3://t1-data/who.txt" }));
    let patience = std::time::Duration::from_millis(300);
    let abandoned = tokio::time::timeout(patience, stack.send(headers(&ada), &read)).await;
    assert!(abandoned.is_err(), "{abandoned:?}");
    let recorded = async {
        loop {
            let lines = stack.audit_lines();
            if let Some(line) = lines.into_iter().find(|line| line["target"] == "object_read") {
                return line;
            }
            tokio::task::yield_now().await;
        }
    };
    let line = tokio::time::timeout(std::time::Duration::from_secs(10), recorded).await.unwrap();
    assert_eq!((&line["outcome"], &line["reason"]), (&json!("failure"), &json!("abandoned")), "{line}");
}
