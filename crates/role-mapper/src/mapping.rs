//! The rows after validation, indexed for one question: who may have which role.

mod check;
mod compile;
mod entry;
mod index;
mod tags;

use std::collections::HashMap;

pub(crate) use entry::{RoleEntry, RuleEntry, TagValue};
pub(crate) use index::RuleIndex;
pub use tags::TAG_BUDGET;
pub(crate) use tags::escaped_size;

use crate::{
    MappingDocument, Problem, Problems, TenantId,
    mapping::{compile::Compiler, index::ByIdentity},
};

/// An immutable mapping: every row in it is valid, every rule leads to a role of its own tenant.
///
/// The default is empty and denies everybody.
#[derive(Debug, Default)]
pub struct Mapping {
    tenants: HashMap<String, Standing>,
    subjects: ByIdentity<Placement>,
    problems: Vec<Problem>,
}

/// How a tenant stands.
#[derive(Debug)]
pub(crate) enum Standing {
    /// One of its rows is broken.
    Broken,
    /// It can be decided for.
    Sound(TenantEntry),
}

#[derive(Debug)]
pub(crate) struct TenantEntry {
    pub(crate) id: TenantId,
    pub(crate) active: bool,
    pub(crate) admits_unknown: bool,
    pub(crate) rules: RuleIndex,
}

/// Where a subject's row puts it.
#[derive(Debug)]
pub(crate) struct Placement {
    pub(crate) tenant: String,
    pub(crate) active: bool,
}

impl Mapping {
    /// The mapping of a document without a fault.
    ///
    /// # Errors
    /// Everything that is wrong with the document, at once.
    pub fn new(document: &MappingDocument) -> Result<Self, Problems> {
        let mut mapping = Self::disabling_broken(document, Vec::new());
        match Problems::of(std::mem::take(&mut mapping.problems)) {
            None => Ok(mapping),
            Some(problems) => Err(problems),
        }
    }

    /// The mapping of rows found in a store. A tenant with a broken row is disabled: everybody of it is denied with
    /// [`TenantBroken`](crate::DenyReason::TenantBroken) until the row is mended; the others are served.
    ///
    /// `unreadable` are the rows that the store could not even read. [`problems`](Self::problems) tells what is wrong.
    #[must_use]
    pub fn disabling_broken(document: &MappingDocument, unreadable: Vec<Problem>) -> Self {
        Compiler::new(document, unreadable).compile()
    }

    /// What is wrong with the rows that this mapping was made of.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(crate) fn tenant(&self, id: &str) -> Option<&Standing> {
        self.tenants.get(id)
    }

    pub(crate) fn placement(&self, issuer: &str, subject: &str) -> Option<&Placement> {
        self.subjects.find(issuer, subject)
    }
}
