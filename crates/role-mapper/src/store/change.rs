//! What a write may do, decided on the rows that it concerns, the same for every store.

use crate::{Mapping, MappingDocument, Problem, Problems, Row, RowKey, WriteError, store::Loaded};

/// An import is refused for any fault.
pub(crate) fn check_import(document: &MappingDocument) -> Result<(), WriteError> {
    Mapping::new(document).map(drop).map_err(WriteError::Invalid)
}

/// The rows after a put. `before` holds at least all rows of the tenant that the row names.
pub(crate) fn check_put(before: Loaded, row: Row) -> Result<MappingDocument, WriteError> {
    let key = row.key();
    let mut after = before.document.clone();
    after.put(row);
    refuse_new_problems(before, after, &key)
}

/// The rows after a removal. `before` holds at least all rows of the tenant that the row belongs to.
pub(crate) fn check_remove(before: Loaded, key: &RowKey) -> Result<MappingDocument, WriteError> {
    let mut after = before.document.clone();
    let was_read = after.remove(key);
    if !was_read && !before.unreadable.iter().any(|problem| problem.row == *key) {
        return Err(WriteError::NotFound(key.clone()));
    }
    refuse_new_problems(before, after, key)
}

fn refuse_new_problems(
    before: Loaded,
    after: MappingDocument,
    written: &RowKey,
) -> Result<MappingDocument, WriteError> {
    let still_unreadable: Vec<Problem> =
        before.unreadable.iter().filter(|problem| problem.row != *written).cloned().collect();
    let old = Mapping::disabling_broken(&before.document, before.unreadable);
    let new = Mapping::disabling_broken(&after, still_unreadable);
    let is_new = |problem: &&Problem| problem.row == *written || !old.problems().contains(problem);
    match Problems::of(new.problems().iter().filter(is_new).cloned().collect()) {
        None => Ok(after),
        Some(problems) => Err(WriteError::Invalid(problems)),
    }
}
