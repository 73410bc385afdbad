//! Finding the client that a request names.

use crate::{error::Unavailable, server::Server, store::Client};

/// The client with this identifier, however it became known. Every lookup goes through here.
pub(crate) async fn find(server: &Server, id: &str) -> Result<Option<Client>, Unavailable> {
    Ok(server.store.client(id).await?)
}
