//! From a host name to addresses that were checked.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::{fmt, io};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::address::is_public;
use crate::error::FetchError;

/// How many names the [`SystemResolver`] looks up at one time; more wait.
pub const MAX_LOOKUPS: usize = 32;

/// Finds the addresses of a host.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of `host`. They are checked after this.
    ///
    /// # Errors
    /// When the name has none, or nobody can say.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the operating system.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    slots: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let lookup = tokio::task::spawn_blocking(move || {
            // A lookup cannot be stopped. It keeps its slot to the end, also when nobody waits for it any more.
            let _slot = slot;
            (host.as_str(), 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

/// Which addresses a connection may use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Zone {
    Public,
    Loopback,
}

impl Zone {
    pub(crate) fn check(self, address: IpAddr) -> Result<(), FetchError> {
        match self {
            Self::Public => is_public(address).map_err(FetchError::NotPublic),
            Self::Loopback if address.is_loopback() => Ok(()),
            Self::Loopback => Err(FetchError::NotLoopback),
        }
    }
}

/// The resolver of the HTTP client: what it answers is what is connected to.
pub(crate) struct CheckedResolver {
    resolver: Arc<dyn Resolver>,
    zone: Zone,
}

impl CheckedResolver {
    pub(crate) fn new(resolver: Arc<dyn Resolver>, zone: Zone) -> Self {
        Self { resolver, zone }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, zone) = (Arc::clone(&self.resolver), self.zone);
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await.map_err(|_| FetchError::Unresolvable)?;
            if addresses.is_empty() {
                return Err(FetchError::Unresolvable.into());
            }
            addresses.iter().try_for_each(|address| zone.check(*address))?;
            // Port 0 stands for the port of the URL.
            let checked: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(checked)
        })
    }
}

impl fmt::Debug for CheckedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedResolver").field("zone", &self.zone).finish_non_exhaustive()
    }
}
