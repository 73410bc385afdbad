//! Bodies: the request's, which may be read ahead, and the response's.

mod request;
mod response;

pub(crate) use request::{BodyFault, Opened, RequestBody, Watch, open, open_none, open_unread};
pub use response::GatewayBody;
