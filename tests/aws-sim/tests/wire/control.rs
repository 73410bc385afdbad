//! Faults, the trail over HTTP, configuration, and the query protocol spoken badly.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_sim::{AwsSim, Fault, FaultEffect, SimConfig, StartError};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::world::{World, code, refusal};
use rustix::process::{Pid, Signal, kill_process};

#[tokio::test]
async fn faults_hit_the_calls_they_name_and_then_end() {
    let world = World::start().await;
    let sts = world.sts(World::operator());
    let s3 = world.s3(World::operator());
    world.sim.fail(Fault {
        operation: "sts:GetCallerIdentity".to_owned(),
        times: 2,
        effect: FaultEffect::Throttle,
    });
    world.sim.fail_next("s3:*", FaultEffect::Throttle);
    for _ in 0..2 {
        let (throttled, message) = refusal(sts.get_caller_identity().send().await);
        assert_eq!((throttled.as_str(), message.as_str()), ("Throttling", "Rate exceeded"));
    }
    sts.get_caller_identity().send().await.unwrap();
    assert_eq!(code(s3.list_buckets().send().await), "SlowDown");
    s3.list_buckets().send().await.unwrap();

    let effects = [
        (FaultEffect::Deny, "AccessDenied"),
        (FaultEffect::Unavailable, "ServiceUnavailable"),
        (FaultEffect::Internal, "InternalFailure"),
        (FaultEffect::ExpiredToken, "ExpiredToken"),
        (FaultEffect::RegionDisabled, "RegionDisabledException"),
        (FaultEffect::PackedPolicyTooLarge, "PackedPolicyTooLarge"),
    ];
    for (effect, expected) in effects {
        world.sim.fail_next("sts:GetCallerIdentity", effect);
        assert_eq!(code(sts.get_caller_identity().send().await), expected);
    }
    world.sim.fail_next("sts:*", FaultEffect::Deny);
    world.sim.clear_faults();
    sts.get_caller_identity().send().await.unwrap();

    world.sim.fail_next("sts:GetCallerIdentity", FaultEffect::DelayMillis(60_000));
    let slow = tokio::time::timeout(Duration::from_millis(200), sts.get_caller_identity().send()).await;
    assert!(slow.is_err(), "the call was not delayed");
    world.sim.fail_next("sts:GetCallerIdentity", FaultEffect::DelayMillis(1));
    sts.get_caller_identity().send().await.unwrap();
}

#[tokio::test]
async fn everything_is_steered_over_http_too() {
    let world = World::start().await;
    let base = world.sim.endpoint_url();
    let http = reqwest::Client::new();
    let sts = world.sts(World::operator());
    let fault = json!({"operation": "sts:GetCallerIdentity", "times": 1, "effect": "throttle"});
    let armed = http.post(format!("{base}/_sim/fail")).json(&fault).send().await.unwrap();
    assert!(armed.status().is_success());
    assert_eq!(code(sts.get_caller_identity().send().await), "Throttling");
    let delay = json!({"operation": "sts:*", "times": 1, "effect": {"delay-millis": 60_000}});
    http.post(format!("{base}/_sim/fail")).json(&delay).send().await.unwrap();
    http.delete(format!("{base}/_sim/fail")).send().await.unwrap();
    sts.get_caller_identity().send().await.unwrap();
    let unknown = json!({"operation": "sts:*", "times": 1, "effect": "explode"});
    let refused = http.post(format!("{base}/_sim/fail")).json(&unknown).send().await.unwrap();
    assert_eq!(refused.status(), 400);

    let session = world.task().await;
    http.post(format!("{base}/_sim/expire-sessions")).send().await.unwrap();
    assert_eq!(code(world.sts(session).get_caller_identity().send().await), "ExpiredToken");

    let trail: Value = http.get(format!("{base}/_sim/trail")).send().await.unwrap().json().await.unwrap();
    let records = trail["Records"].as_array().unwrap();
    assert_eq!(records[0]["errorCode"], "Throttling");
    assert_eq!(records[1]["userIdentity"]["arn"], "arn:aws:iam::111122223333:user/operator");

    let rebound = http.get(format!("{base}/container-credentials")).header("host", "evil.example:80").send();
    assert_eq!(rebound.await.unwrap().status(), 403);
    assert_eq!(http.get(format!("{base}/_sim/none")).send().await.unwrap().status(), 404);
    assert_eq!(http.post(format!("{base}/container-credentials")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_query_protocol_is_read_strictly() {
    let world = World::start().await;
    let base = world.sim.endpoint_url();
    let http = reqwest::Client::new();
    let bodies = [
        ("Action=GetCallerIdentity&Version=2011-06-15", "MissingAuthenticationToken"),
        ("Action=GetCallerIdentity&Version=2010-01-01", "InvalidAction"),
        ("Action=GetCallerIdentity", "InvalidAction"),
        ("Version=2011-06-15", "MissingAction"),
        ("", "MissingAction"),
        ("Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15", "MalformedInput"),
    ];
    for (body, expected) in bodies {
        let request = http.post(&base).header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_client_error());
        assert!(answer.headers().contains_key("x-amzn-requestid"));
        let text = answer.text().await.unwrap();
        assert!(text.contains(&format!("<Code>{expected}</Code>")), "{body}: {text}");
        assert!(text.contains("<RequestId>"), "{text}");
    }
    let json = http.post(&base).json(&json!({"Action": "GetCallerIdentity"})).send().await.unwrap();
    assert!(json.text().await.unwrap().contains("MalformedInput"));
    let (unknown, message) = refusal(world.sts(World::operator()).get_session_token().send().await);
    assert_eq!(unknown, "InvalidAction");
    assert_eq!(message, "Could not find operation GetSessionToken for version 2011-06-15");
}

#[tokio::test]
async fn a_world_that_is_not_understood_does_not_start() {
    let world: Value = serde_json::from_str(include_str!("../cases/world.json")).unwrap();
    let changed = |pointer: &str, value: Value| {
        let mut world = world.clone();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let parent = world.pointer_mut(parent).unwrap();
        match member.parse::<usize>() {
            Ok(index) => parent[index] = value,
            Err(_) => parent[member] = value,
        }
        world
    };
    let duplicate = |list: &str| {
        let mut world = world.clone();
        let first = world[list][0].clone();
        world[list].as_array_mut().unwrap().push(first);
        world
    };
    let unusable = [
        changed("/account", json!("1111")),
        changed("/task_role", json!("arn:aws:iam::111122223333:role/none")),
        changed("/task_role", json!("arn:aws:iam::111122223333:role/tenants/acme")),
        changed("/users/0/access_key_id", json!("AKIA")),
        changed("/users/0/name", json!("a/b")),
        changed("/roles/0/arn", json!("mcp-task")),
        changed("/roles/0/max_session_duration", json!(3599)),
        changed("/roles/1/tags", json!({"a": "1", "A": "2"})),
        changed("/roles/1/managed_policies/0", json!("arn:aws:iam::111122223333:policy/none")),
        changed("/roles/0/trust_policy/Statement/0/Action", json!("AssumeRole")),
        changed("/roles/0/policies/0/Statement/0/Condition", json!({"StringIs": {"aws:x": "y"}})),
        changed("/buckets/0/name", json!("Shared")),
        changed("/buckets/0/name", json!("container-credentials")),
        changed("/buckets/0/objects", json!({"../escape": "x"})),
        changed("/buckets/2/policy/Statement/0/Principal", json!({"AWS": "*:root"})),
        duplicate("users"),
        duplicate("roles"),
        duplicate("buckets"),
    ];
    for value in unusable {
        let config: SimConfig = serde_json::from_value(value.clone()).unwrap();
        let started = AwsSim::start(config).await;
        assert!(matches!(started, Err(StartError::Config(_))), "{started:?}: {value}");
    }
    let mut open = world.clone();
    open["listen"] = json!("0.0.0.0:0");
    let open: SimConfig = serde_json::from_value(open).unwrap();
    assert!(matches!(AwsSim::start(open).await, Err(StartError::NotLoopback(_))));
    let mut misspelt = world.clone();
    misspelt["bucket"] = json!([]);
    assert!(serde_json::from_value::<SimConfig>(misspelt).is_err());
    let text =
        include_str!("../cases/world.json").replacen("\"Effect\"", "\"Effect\": \"Deny\", \"Effect\"", 1);
    assert!(serde_json::from_str::<SimConfig>(&text).is_err());

    let config: SimConfig = serde_json::from_value(world).unwrap();
    assert!(!format!("{config:?}").contains("operator-secret"));
    let sim = AwsSim::start(config).await.unwrap();
    assert!(sim.addr.ip().is_loopback());
    let url = sim.endpoint_url();
    sim.shutdown().await;
    assert!(reqwest::get(url).await.is_err(), "it has stopped");
}

#[tokio::test]
async fn the_program_runs_until_terminated() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_aws-sim"))
        .arg(here.join("tests/cases/world.json"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    let credentials = reqwest::get(started["container_credentials_url"].as_str().unwrap()).await.unwrap();
    assert_eq!(
        credentials.json::<Value>().await.unwrap()["RoleArn"],
        "arn:aws:iam::111122223333:role/mcp-task"
    );
    let id = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_given_directory_keeps_the_objects() {
    let folder = tempfile::tempdir().unwrap();
    let mut config: SimConfig = serde_json::from_str(include_str!("../cases/world.json")).unwrap();
    config.data_dir = Some(folder.path().to_owned());
    let sim = AwsSim::start(config).await.unwrap();
    sim.shutdown().await;
    assert_eq!(std::fs::read(folder.path().join("shared-data/acme/a.txt")).unwrap(), b"acme's first");
}
