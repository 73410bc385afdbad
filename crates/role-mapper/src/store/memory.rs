//! A store for tests and embedders.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Loaded, MappingStore, StoreError, WriteError, check_import, check_put, check_remove};
use crate::{MappingDocument, Row, RowKey};

/// Keeps the rows in memory. It never fails and forgets everything with the process.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Loaded>);

impl MemoryStore {
    /// A store that holds a document, with version 1.
    ///
    /// # Errors
    /// [`WriteError::Invalid`] with everything that is wrong with it.
    pub fn with(document: MappingDocument) -> Result<Self, WriteError> {
        check_import(&document)?;
        Ok(Self(Mutex::new(Loaded { document: document.sorted(), unreadable: Vec::new(), version: 1 })))
    }

    /// A panic elsewhere cannot leave the rows half written: they are replaced in one assignment.
    fn rows(&self) -> MutexGuard<'_, Loaded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn replace(rows: &mut Loaded, document: MappingDocument) -> u64 {
    let version = rows.version + 1;
    *rows = Loaded { document: document.sorted(), unreadable: Vec::new(), version };
    version
}

#[async_trait]
impl MappingStore for MemoryStore {
    async fn version(&self) -> Result<u64, StoreError> {
        Ok(self.rows().version)
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        Ok(self.rows().clone())
    }

    async fn import(&self, document: MappingDocument) -> Result<u64, WriteError> {
        check_import(&document)?;
        Ok(replace(&mut self.rows(), document))
    }

    async fn put(&self, row: Row) -> Result<u64, WriteError> {
        let mut rows = self.rows();
        let after = check_put(rows.clone(), row)?;
        Ok(replace(&mut rows, after))
    }

    async fn remove(&self, key: RowKey) -> Result<u64, WriteError> {
        let mut rows = self.rows();
        let after = check_remove(rows.clone(), &key)?;
        Ok(replace(&mut rows, after))
    }
}
