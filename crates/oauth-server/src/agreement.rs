//! What all replicas on one store must agree on before one of them serves.
//!
//! That they have the same keys follows from opening them; the algorithm may differ while a deployment is under way. The
//! public URL is remembered in the store: under another one, tokens of one replica would be refused by the next.

use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretSlice};
use url::Url;

use crate::{
    config::{OAuthConfig, is_loopback},
    seal::Sealing,
    secret::ServerSecret,
    server::StartError,
    store::{SecretRecord, SecretStore, Store, StoreError},
};

/// The row that remembers the public URL. It is no secret, and not sealed.
const NAME: &str = "public_url";

/// Whether the store is of this server. The first server on a store makes it its own.
pub(crate) async fn check(
    store: &dyn Store,
    config: &OAuthConfig,
    now: SystemTime,
) -> Result<(), StartError> {
    let kept = kept(store, &config.public_url, now).await?;
    compare(kept.clone(), &config.public_url)?;
    if kept != config.public_url {
        move_public_url(store, &config.public_url, now).await?;
    }
    Ok(())
}

/// On one machine ports come and go, and nobody else is affected.
fn compare(kept: String, configured: &str) -> Result<(), StartError> {
    let is_local = |url: &str| Url::parse(url).is_ok_and(|url| is_loopback(&url));
    if kept == configured || is_local(&kept) && is_local(configured) {
        return Ok(());
    }
    Err(StartError::PublicUrl { kept, configured: configured.to_owned() })
}

/// What of a store keeps a server with this public URL and these sealing keys from starting, beside its signing keys.
/// Nothing is changed.
pub async fn disagreements(store: &dyn Store, sealing: &Sealing, public_url: &str) -> Vec<StartError> {
    let remembered = async {
        match store.secret(NAME).await? {
            Some(kept) => compare(text(&kept)?, public_url),
            None => Ok(()),
        }
    };
    let found = [remembered.await, ServerSecret::check(store, sealing).await];
    found.into_iter().filter_map(Result::err).collect()
}

/// Makes the store that of a server with another public URL, and gives the former one. Every token issued before is
/// refused from then on.
///
/// # Errors
/// When the store fails.
pub async fn move_public_url(
    store: &(impl SecretStore + ?Sized),
    public_url: &str,
    now: SystemTime,
) -> Result<String, StoreError> {
    let former = kept(store, public_url, now).await?;
    let bytes = |url: &str| SecretSlice::from(url.as_bytes().to_vec());
    store.replace_secret(NAME, &bytes(&former), &bytes(public_url)).await?;
    Ok(former)
}

async fn kept(
    store: &(impl SecretStore + ?Sized),
    public_url: &str,
    now: SystemTime,
) -> Result<String, StoreError> {
    let wrapped = SecretSlice::from(public_url.as_bytes().to_vec());
    let record = SecretRecord { name: NAME.to_owned(), wrapped, created_at: now };
    text(&store.secret_or_insert(&record).await?)
}

fn text(kept: &SecretRecord) -> Result<String, StoreError> {
    let kept = String::from_utf8(kept.wrapped.expose_secret().to_vec());
    kept.map_err(|_| StoreError::Corrupt { what: "public URL" })
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::{check, disagreements, move_public_url};
    use crate::{config::OAuthConfig, seal::Sealing, server::StartError, store::MemoryStore};

    async fn start(store: &MemoryStore, public_url: &str) -> Result<(), StartError> {
        check(store, &OAuthConfig::new(public_url, vec![]), UNIX_EPOCH).await
    }

    /// SEC-64: a replica with another public URL on the same store -> it does not start, and says what to do
    #[tokio::test]
    async fn a_store_is_of_one_public_url_until_it_is_moved() {
        let store = MemoryStore::default();
        start(&store, "https://a.example").await.unwrap();
        start(&store, "https://a.example").await.unwrap();
        for other in ["https://b.example", "http://localhost:8080"] {
            let error = start(&store, other).await.unwrap_err();
            let words = error.to_string();
            assert!(words.contains("https://a.example") && words.contains("--new-public-url"), "{words}");
            assert_eq!(disagreements(&store, &Sealing::unsealed(), other).await.len(), 1);
        }
        assert!(disagreements(&store, &Sealing::unsealed(), "https://a.example").await.is_empty());
        assert_eq!(
            move_public_url(&store, "https://b.example", UNIX_EPOCH).await.unwrap(),
            "https://a.example"
        );
        start(&store, "https://b.example").await.unwrap();
        assert!(start(&store, "https://a.example").await.is_err());
    }

    #[tokio::test]
    async fn on_loopback_ports_come_and_go() {
        let store = MemoryStore::default();
        for url in ["http://localhost:1", "http://127.0.0.1:2", "http://localhost:1"] {
            start(&store, url).await.unwrap();
        }
        assert!(start(&store, "https://a.example").await.is_err());
    }
}
