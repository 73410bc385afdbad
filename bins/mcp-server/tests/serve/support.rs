//! A world of tenants, the server in front of it, and requests as the gateway sends them.

use std::{collections::BTreeMap, sync::Arc};

use audit::{AuditLog, MemorySink, Sink};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sim::{AwsSim, BucketConfig, PolicyDocument, RoleConfig, SimConfig, UserConfig};
use decision::{Decision, DecisionHeaders, PolicyContext, RequestId, SessionTags, SourceIdentity};
use http::HeaderMap;
use mcp_server::{Config, Running, Surroundings, start};
use serde_json::{Value, json};
use telemetry::{Metrics, system_clock};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/quilt-reader";
const TASK: &str = "arn:aws:iam::111122223333:user/task";
const REGION: &str = "us-east-1";

/// Everything that runs for one test.
pub(crate) struct Stack {
    pub(crate) sim: aws_sim::Running,
    pub(crate) server: Running,
    pub(crate) sink: MemorySink,
    pub(crate) log: AuditLog,
    client: reqwest::Client,
}

/// Tenants `t0` to `t19`, each with a bucket `t<n>-data` that sessions tagged with the tenant may read.
fn world(trusted: &[&str]) -> SimConfig {
    let mut world = SimConfig::new(ACCOUNT);
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "AWS": TASK }, "Action": trusted }],
    });
    let mut role = RoleConfig::new(ROLE, PolicyDocument::from(trust));
    role.policies.push(PolicyDocument::from(json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::${aws:PrincipalTag/tenant}-data",
            },
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::${aws:PrincipalTag/tenant}-data/*",
            },
        ],
    })));
    world.roles.push(role);
    // The server itself may do everything: a call that were made as the server would succeed, and be seen.
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }],
    });
    world.users.push(UserConfig {
        name: "task".to_owned(),
        account: None,
        access_key_id: "AKIATASKTASKTASKTASK".to_owned(),
        secret_access_key: "canary-base-secret".to_owned(),
        tags: BTreeMap::new(),
        policies: vec![PolicyDocument::from(policy)],
    });
    for tenant in 0..20 {
        let mut bucket = BucketConfig::new(&format!("t{tenant}-data"));
        bucket.objects.insert("who.txt".to_owned(), format!("data of t{tenant}"));
        world.buckets.push(bucket);
    }
    world
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::trusting(&["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]).await
    }

    pub(crate) async fn trusting(actions: &[&str]) -> Self {
        let sink = MemorySink::default();
        Self::recording_to(actions, sink.clone(), sink).await
    }

    pub(crate) async fn recording_to(actions: &[&str], audit: impl Sink, sink: MemorySink) -> Self {
        let sim = AwsSim::start(world(actions)).await.unwrap();
        let mut config = Config::new(REGION.parse().unwrap(), [ACCOUNT.parse().unwrap()]);
        config.sts_endpoint = Some(sim.endpoint_url().parse().unwrap());
        config.s3_endpoint = config.sts_endpoint.clone();
        config.s3_path_style = true;
        config.buckets = (0..20).map(|tenant| format!("t{tenant}-data")).collect();
        config.session_policies.insert("nothing".to_owned(), DENY_ALL.to_owned());
        let base = Credentials::new("AKIATASKTASKTASKTASK", "canary-base-secret", None, None, "test");
        let log = AuditLog::start(audit, system_clock()).unwrap();
        let surroundings = Surroundings {
            base_credentials: SharedCredentialsProvider::new(base),
            audit: log.clone(),
            clock: Arc::new(system_clock()),
            metrics: Metrics::new("test").unwrap(),
        };
        let server = start(config, surroundings).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sim, server, sink, log, client }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.server.public_addr)
    }

    /// Sends a body with these headers and the ones that every MCP client sends.
    pub(crate) async fn send(&self, headers: HeaderMap, body: &Value) -> (u16, Value) {
        let request = self.client.post(self.url()).headers(headers);
        let request = request.header("accept", "application/json, text/event-stream").json(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!(!text.contains("canary") && !text.contains("SessionToken"), "{text}");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The result of a tool call for a caller.
    pub(crate) async fn call(&self, decision: &Decision, tool: &str, arguments: Value) -> Value {
        let (status, answer) = self.send(headers(decision), &tool_call(tool, &arguments)).await;
        assert_eq!(status, 200, "{answer}");
        answer.get("result").unwrap_or(&answer).clone()
    }

    pub(crate) fn audit_lines(&self) -> Vec<Value> {
        self.log.flush();
        self.sink.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.server.private_addr);
        self.client.get(url).send().await.unwrap().text().await.unwrap()
    }

    pub(crate) async fn ready(&self) -> u16 {
        let url = format!("http://{}/readyz", self.server.private_addr);
        self.client.get(url).send().await.unwrap().status().as_u16()
    }
}

const DENY_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

pub(crate) fn tool_call(tool: &str, arguments: &Value) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": { "name": tool, "arguments": arguments },
    })
}

/// What the gateway decided about a person of a tenant.
pub(crate) fn decision(tenant: &str, person: &str) -> Decision {
    Decision {
        role: ROLE.parse().unwrap(),
        source_identity: SourceIdentity::encode("", "https://idp.test", person),
        tags: SessionTags::from_pairs([("tenant", tenant), ("person", person)]).unwrap(),
        context: PolicyContext {
            decision_id: format!("d-{tenant}-{person}"),
            policy_id: "rule-1".to_owned(),
            tenant: tenant.to_owned(),
            session_duration_seconds: 3600,
            session_policy: None,
            agent: None,
        },
    }
}

pub(crate) fn request_id() -> RequestId {
    RequestId::from_uuid_bytes([7; 16])
}

pub(crate) fn headers(decision: &Decision) -> HeaderMap {
    let mut headers = HeaderMap::new();
    DecisionHeaders::prebuild(decision).unwrap().insert_into(&mut headers, &request_id());
    headers
}
