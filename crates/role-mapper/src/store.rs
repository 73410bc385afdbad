//! Where the rows are kept: the seam, its errors and what every store does before it writes.

mod change;
mod memory;

use std::error::Error;

use async_trait::async_trait;
pub(crate) use change::{check_import, check_put, check_remove};
pub use memory::MemoryStore;

use crate::{MappingDocument, Problem, Problems, Row, RowKey};

/// All rows, read at one moment.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The rows, in the order of their keys.
    pub document: MappingDocument,
    /// The rows that are there but cannot be read.
    pub unreadable: Vec<Problem>,
    /// Which writes the rows include.
    pub version: u64,
}

/// Keeps the rows of a mapping.
///
/// Every write checks what it writes, bumps the version by one and is done completely or not at all. A write is refused
/// when it would leave a fault in the row that it writes, or a new fault in another row; a fault that was there before
/// does not stand in the way of mending it row by row.
///
/// A put replaces: of two people who put a rule under one new number, the second has the last word, as with any row.
#[async_trait]
pub trait MappingStore: Send + Sync {
    /// The number of writes so far. It never decreases.
    async fn version(&self) -> Result<u64, StoreError>;

    /// All rows and their version.
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// Replaces all rows by those of a document. Returns the new version.
    async fn import(&self, document: MappingDocument) -> Result<u64, WriteError>;

    /// Stores a row in place of the one with the same key, if there is one. Returns the new version.
    async fn put(&self, row: Row) -> Result<u64, WriteError>;

    /// Removes a row. Returns the new version.
    async fn remove(&self, key: RowKey) -> Result<u64, WriteError>;

    /// All rows as a document that [`import`](Self::import) takes back.
    ///
    /// # Errors
    /// Also when a row cannot be read: an export without it would lose it.
    async fn export(&self) -> Result<MappingDocument, StoreError> {
        let loaded = self.load().await?;
        match Problems::of(loaded.unreadable) {
            None => Ok(loaded.document),
            Some(problems) => Err(StoreError::Unreadable(problems)),
        }
    }
}

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It does not answer; trying again may help.
    #[error("the mapping store does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It answered, and what it holds cannot be read.
    #[error("the mapping store has rows that cannot be read")]
    Unreadable(#[source] Problems),
    /// A row does not even say whose it is, so that nobody's rows can be believed.
    #[error(
        "a row of {table} has no readable key or tenant, so no tenant can be decided for: mend it or delete it"
    )]
    Unattributable {
        /// The table.
        table: String,
        /// What cannot be read.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Unreadable(_) | Self::Unattributable { .. } => false,
        }
    }
}

/// A write was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It would leave faults.
    #[error("the mapping would be broken")]
    Invalid(#[source] Problems),
    /// The row to remove is not there.
    #[error("{0} does not exist")]
    NotFound(RowKey),
    /// The store failed.
    #[error("the mapping was not written")]
    Store(#[from] StoreError),
}
