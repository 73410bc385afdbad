//! Finding the client that a request names.

use crate::{
    client_address::ClientAddress, error::Unavailable, interaction::PageError, server::Server, store::Client,
};

/// The client with this identifier, however it became known. Every lookup goes through here or
/// [`find_to_ask`].
pub(crate) async fn find(server: &Server, id: &str) -> Result<Option<Client>, Unavailable> {
    // What the operator registered under the URL of a document counts instead of the document.
    let registered = registered(server, id).await?;
    if registered.is_some() || !server.client_documents.are_meant_by(id) {
        return Ok(registered);
    }
    match server.client_documents.last_good(id).await {
        Ok(client) => Ok(Some(client)),
        Err(error) if error.is_transient() => Err(Unavailable::Document(error)),
        Err(_) => Ok(None),
    }
}

/// The client with this identifier, as it describes itself now, for asking a person whether it may act.
pub(crate) async fn find_to_ask(
    server: &Server,
    id: &str,
    address: Option<ClientAddress>,
) -> Result<Client, PageError> {
    let registered = registered(server, id).await?;
    match registered {
        Some(client) => Ok(client),
        None if server.client_documents.are_meant_by(id) => {
            Ok(server.client_documents.current(id, address).await?)
        }
        None => Err(PageError::UnknownClient),
    }
}

/// A client that the operator configured, or one that is kept. What is configured comes first: nobody registers in its
/// place.
async fn registered(server: &Server, id: &str) -> Result<Option<Client>, Unavailable> {
    if let Some(configured) = server.config.clients.iter().find(|client| client.id == id) {
        return Ok(Some(configured.clone()));
    }
    Ok(server.store.client(id).await?)
}
