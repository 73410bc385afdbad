//! Clients whose identifier is the URL of a document about them (Client ID Metadata Documents).
//!
//! A document is fetched when a person is to be asked, and again when it is no longer fresh. Once somebody has signed in
//! with such a client, the document is kept in the store, where all replicas find the newest; until then only in this
//! process. What could not be had, and what was not valid, is never kept. While a document cannot be had, the kept one
//! serves the grants that exist for up to a day; nobody is asked for consent on its word.

mod attempts;
mod copies;
mod document;
mod error;
mod flights;
mod keys;
mod url;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use ::url::Url;
use connect_hosts::AllowedHosts;
use public_fetch::{Fetch, FetchLimits};

use crate::{
    client_address::ClientAddress,
    clock::{Clock, after},
    config::OAuthConfig,
    store::{Client, ClientOrigin, Confirm, DocumentRecord, Store, StoreError},
};
use attempts::Attempts;
use copies::Copies;
use flights::Flights;

pub(crate) use error::DocumentError;
pub(crate) use keys::PublishedKeys;
pub(crate) use url::DocumentUrl;

const MAX_DOCUMENT: usize = 5 * 1024;
const TOTAL: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(3);

/// For how long a document may count without being read again, whatever its headers say: short enough that a redirect
/// that its publisher took back is gone within the hour.
const SHORTEST: Duration = Duration::from_mins(5);
const LONGEST: Duration = Duration::from_hours(1);

/// For how long a document that is no longer fresh and cannot be had serves the grants that exist.
const OUTAGE: Duration = Duration::from_hours(24);

/// The most documents that are kept in the store.
const MAX_KEPT: u64 = 10_000;

/// Which documents may describe a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DocumentTrust {
    /// None: such clients are unknown.
    Off,
    /// Any. Each redirect is judged by the operator's list all the same.
    #[default]
    Open,
    /// Those on a host that the list names, itself or by a suffix. Other kinds of entries cover nothing.
    AllowList(AllowedHosts),
}

/// The documents of clients. Clones share everything.
#[derive(Clone)]
pub(crate) struct ClientDocuments(Arc<Shared>);

struct Shared {
    trust: DocumentTrust,
    allows_loopback: bool,
    /// How long a document is kept after it was read: as long as a grant of that time may live.
    retention: Duration,
    fetch: Arc<dyn Fetch>,
    store: Arc<dyn Store>,
    clock: Clock,
    copies: Copies,
    attempts: Attempts,
    flights: Flights<Landed>,
}

/// A document that was valid when it was read.
#[derive(Clone)]
struct Copy {
    client: Client,
    record: DocumentRecord,
}

/// What became of an attempt to have the present document.
#[derive(Clone)]
struct Landed {
    current: Result<Arc<Copy>, DocumentError>,
    /// What was kept and may stand in for it.
    last_good: Option<Arc<Copy>>,
}

impl ClientDocuments {
    pub(crate) fn new(
        config: &OAuthConfig,
        fetch: Arc<dyn Fetch>,
        store: Arc<dyn Store>,
        clock: Clock,
    ) -> Self {
        Self(Arc::new(Shared {
            trust: config.client_documents.clone(),
            allows_loopback: config.is_loopback(),
            retention: config.refresh_absolute_lifetime,
            fetch,
            store,
            clock,
            copies: Copies::default(),
            attempts: Attempts::new(),
            flights: Flights::default(),
        }))
    }

    /// Whether this identifier means a document, and such clients are known here.
    pub(crate) fn are_meant_by(&self, client_id: &str) -> bool {
        self.0.trust != DocumentTrust::Off && DocumentUrl::is_meant_by(client_id, self.0.allows_loopback)
    }

    /// The client that the document describes now, for asking a person.
    pub(crate) async fn current(
        &self,
        client_id: &str,
        address: Option<ClientAddress>,
    ) -> Result<Client, DocumentError> {
        let landed = self.look_up(client_id, address).await?;
        landed.current.map(|copy| copy.client.clone())
    }

    /// The client that the document describes, or described when it could be had: for what was granted already.
    pub(crate) async fn last_good(&self, client_id: &str) -> Result<Client, DocumentError> {
        let Landed { current, last_good } = self.look_up(client_id, None).await?;
        let copy = match (current, last_good) {
            (Err(error), Some(copy)) if error.is_outage() => {
                tracing::warn!(client_id, %error, "a client's document cannot be had; the kept one is used");
                Ok(copy)
            }
            (current, _) => current,
        };
        copy.map(|copy| copy.client.clone())
    }

    /// Keeps the document that a person has just relied on. Gives whether there was room.
    pub(crate) async fn keep(&self, client_id: &str, confirm: Confirm<'_>) -> Result<bool, StoreError> {
        match self.0.copies.get(client_id) {
            Some(copy) => {
                let kept = self.0.store.keep_document(&copy.record, MAX_KEPT, confirm).await?;
                if kept {
                    self.0.copies.remove(client_id);
                }
                Ok(kept)
            }
            // It came from the store.
            None => Ok(self.0.store.document(client_id).await?.is_some()),
        }
    }

    async fn look_up(
        &self,
        client_id: &str,
        address: Option<ClientAddress>,
    ) -> Result<Landed, DocumentError> {
        let shared = &self.0;
        let url = DocumentUrl::parse(client_id, shared.allows_loopback)?;
        if !shared.trusts(&url) {
            return Err(DocumentError::Untrusted);
        }
        let now = (shared.clock)();
        let kept = shared.kept(&url).await?;
        let known = kept.clone().or_else(|| shared.copies.get(client_id));
        if let Some(copy) = known.filter(|copy| copy.record.fresh_until > now) {
            return Ok(Landed { current: Ok(copy), last_good: None });
        }
        shared.attempts.by_address(address)?;
        let work = || Arc::clone(shared).renew(url, kept);
        shared.flights.join(client_id, work).await.map_err(|_| DocumentError::Busy)
    }
}

impl Shared {
    fn trusts(&self, url: &DocumentUrl) -> bool {
        match &self.trust {
            DocumentTrust::Off => false,
            DocumentTrust::Open => true,
            DocumentTrust::AllowList(hosts) => hosts.lists_name(url.host()),
        }
    }

    /// The document in the store. What can no longer be read there, by stricter rules, is not there.
    async fn kept(&self, url: &DocumentUrl) -> Result<Option<Arc<Copy>>, DocumentError> {
        let record = self.store.document(url.as_str()).await?;
        Ok(record.and_then(|record| Copy::new(url, record).ok()).map(Arc::new))
    }

    async fn renew(self: Arc<Self>, url: DocumentUrl, kept: Option<Arc<Copy>>) -> Landed {
        let now = (self.clock)();
        let current = self.read(&url, kept.is_some(), now).await.map(Arc::new);
        match (&current, &kept) {
            (Ok(copy), None) => self.copies.insert(Arc::clone(copy), now),
            (Ok(copy), Some(_)) => {
                if let Err(error) = self.store.keep_document(&copy.record, MAX_KEPT, &|| Ok(())).await {
                    tracing::warn!(?url, %error, "a client's document could not be kept");
                }
            }
            (Err(error), _) => {
                tracing::info!(?url, reason = error.reason(), "a client's document was refused");
            }
        }
        let serves = |copy: &Arc<Copy>| after(copy.record.fresh_until, OUTAGE) > now;
        Landed { current, last_good: kept.filter(serves) }
    }

    async fn read(&self, url: &DocumentUrl, is_known: bool, now: SystemTime) -> Result<Copy, DocumentError> {
        self.attempts.begin(url.url(), is_known)?;
        let limits =
            FetchLimits { max_bytes: MAX_DOCUMENT, total: TOTAL, idle: IDLE, lifetime: SHORTEST..=LONGEST };
        let document = self.fetch.fetch(url.url(), &limits, now).await?;
        let body = String::from_utf8(document.body).map_err(|_| document::Invalid::Json)?;
        let record = DocumentRecord {
            url: url.as_str().to_owned(),
            body,
            fetched_at: now,
            fresh_until: after(now, document.lifetime),
            expires_at: after(now, self.retention),
        };
        Ok(Copy::new(url, record)?)
    }
}

impl Copy {
    fn new(url: &DocumentUrl, record: DocumentRecord) -> Result<Self, document::Invalid> {
        let client = document::read(url, record.body.as_bytes(), record.fetched_at)?;
        Ok(Self { client, record })
    }
}

/// The client that this document at the URL `client_id` describes, read at `now`: none when it breaks a rule.
#[must_use]
pub fn described_client(client_id: &str, document: &[u8], now: SystemTime) -> Option<Client> {
    let url = DocumentUrl::parse(client_id, false).ok()?;
    document::read(&url, document, now).ok()
}

/// The host that vouches for a client by publishing the document about it.
pub(crate) fn host_of(client: &Client) -> Option<String> {
    let is_described = client.origin == ClientOrigin::Document;
    Url::parse(&client.id).ok().filter(|_| is_described)?.host_str().map(str::to_owned)
}
