//! What only a simulator has: faults, the trail, and the task role's credentials.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::credentials::Tags;
use crate::faults::Fault;
use crate::server::CREDENTIALS_PATH;
use crate::sts::{NewSession, issue};
use crate::trail::Call;
use crate::world::World;

/// How long the task role's credentials last.
const TASK_SESSION: Duration = Duration::from_hours(6);

/// Answers a request to one of the simulator's own paths.
pub(crate) fn answer(world: &World, head: &Parts, body: &[u8]) -> Response<Bytes> {
    if !names_loopback(head) {
        return json_answer(
            StatusCode::FORBIDDEN,
            &json!({"error": "the Host header must name the loopback"}),
        );
    }
    match (&head.method, head.uri.path()) {
        (&Method::GET, CREDENTIALS_PATH) => task_credentials(world),
        (&Method::GET, "/_sim/trail") => {
            let records: Vec<Value> = world.trail.calls().iter().map(Call::to_cloudtrail).collect();
            json_answer(StatusCode::OK, &json!({"Records": records}))
        }
        (&Method::POST, "/_sim/fail") => match serde_json::from_slice::<Fault>(body) {
            Ok(fault) => {
                world.faults.arm(fault);
                json_answer(StatusCode::OK, &json!({}))
            }
            Err(error) => json_answer(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
        },
        (&Method::DELETE, "/_sim/fail") => {
            world.faults.clear();
            json_answer(StatusCode::OK, &json!({}))
        }
        (&Method::POST, "/_sim/expire-sessions") => {
            world.keyring.expire_all(world.now());
            json_answer(StatusCode::OK, &json!({}))
        }
        _ => json_answer(StatusCode::NOT_FOUND, &json!({"error": "no such path or method"})),
    }
}

/// A page in a browser must not reach these paths under a name that it rebound to the loopback.
fn names_loopback(head: &Parts) -> bool {
    let host = head.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let Some(host) = host.or_else(|| head.uri.authority().map(http::uri::Authority::as_str)) else {
        return false;
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The task role's credentials in the format of the ECS endpoint.
fn task_credentials(world: &World) -> Response<Bytes> {
    let Some(role) = &world.task_role else {
        let error = json!({"code": "NoTaskRole", "message": "the configuration names no task_role"});
        return json_answer(StatusCode::NOT_FOUND, &error);
    };
    let new = NewSession {
        role,
        name: "aws-sim-task",
        session_tags: Tags::default(),
        transitive_tags: Tags::default(),
        source_identity: None,
        policies: None,
        duration: TASK_SESSION,
    };
    match issue(world, new) {
        Ok(credential) => {
            let session = credential.session.as_ref();
            let body = json!({
                "RoleArn": role.arn,
                "AccessKeyId": credential.access_key_id,
                "SecretAccessKey": credential.secret_access_key,
                "Token": session.map(|session| session.token.as_str()),
                "Expiration": session.map(|session| rfc3339(session.expires_at)),
            });
            json_answer(StatusCode::OK, &body)
        }
        Err(error) => {
            let body = json!({"code": error.code, "message": error.message});
            json_answer(StatusCode::INTERNAL_SERVER_ERROR, &body)
        }
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
