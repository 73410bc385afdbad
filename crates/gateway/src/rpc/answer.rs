//! JSON-RPC error bodies.

use bytes::Bytes;
use serde_json::json;

/// Why the gateway answers a message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The body is no JSON-RPC message.
    Parse,
    /// The message is not one that is accepted.
    InvalidRequest,
    /// A header contradicts the body.
    HeaderMismatch,
    /// The service behind the gateway did not answer.
    Internal,
}

impl Failure {
    fn code(self) -> i32 {
        match self {
            Self::Parse => -32700,
            Self::InvalidRequest => -32600,
            Self::HeaderMismatch => -32020,
            Self::Internal => -32603,
        }
    }
}

/// The error body that answers the message with this identifier, which is JSON text as [`Call`](super::Call) keeps it.
pub(crate) fn failure(kind: Failure, id: Option<&str>, message: &str, reason: &str, request: &str) -> Bytes {
    let data = json!({ "reason": reason, "request_id": request });
    let error = json!({ "code": kind.code(), "message": message, "data": data });
    let id = id.unwrap_or("null");
    Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
}
