//! The mapping as tables for a terminal.

use std::fmt::Write as _;

use role_mapper::MappingDocument;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Table;
use crate::cli::CliError;

/// The rows of one table, or of all.
pub(super) fn list(document: &MappingDocument, table: Option<Table>, json: bool) -> Result<String, CliError> {
    let mut text = String::new();
    let mut all = Map::new();
    for (kind, name, rows) in [
        (Table::Tenants, "tenants", rows(&document.tenants)?),
        (Table::Subjects, "subjects", rows(&document.subjects)?),
        (Table::Roles, "roles", rows(&document.roles)?),
        (Table::Rules, "rules", rows(&document.rules)?),
    ] {
        if table.is_some_and(|wanted| wanted != kind) {
            continue;
        }
        if !json {
            // Writing into a `String` cannot fail.
            let _ = writeln!(text, "{name} ({})", rows.len());
            text.push_str(&aligned(&rows));
        }
        all.insert(name.to_owned(), rows.into_iter().map(Value::Object).collect());
    }
    if json {
        text = serde_json::to_string_pretty(&all).map_err(|error| unwritable(&error))? + "\n";
    }
    Ok(text)
}

fn rows<T: Serialize>(rows: &[T]) -> Result<Vec<Map<String, Value>>, CliError> {
    let object = |row: &T| match serde_json::to_value(row).map_err(|error| unwritable(&error))? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    };
    rows.iter().map(object).collect()
}

fn unwritable(error: &serde_json::Error) -> CliError {
    CliError::Input(format!("the mapping cannot be written: {error}"))
}

/// Columns that name a row stand first.
const KEYS: [&str; 5] = ["id", "issuer", "subject", "tenant", "name"];

/// Columns as wide as their widest cell.
fn aligned(rows: &[Map<String, Value>]) -> String {
    let mut columns: Vec<&String> = rows.iter().flat_map(Map::keys).collect();
    columns.sort_by_key(|name| (KEYS.iter().position(|key| key == name).unwrap_or(KEYS.len()), *name));
    columns.dedup();
    let cell = |row: &Map<String, Value>, column: &str| match row.get(column) {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.escape_debug().to_string(),
        Some(other) => other.to_string(),
    };
    let width = |column: &String| {
        let widest = rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        widest.max(column.len())
    };
    let widths: Vec<usize> = columns.iter().map(|column| width(column)).collect();
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let joined = padded.collect::<Vec<_>>().join("  ");
        text.push_str("  ");
        text.push_str(joined.trim_end());
        text.push('\n');
    };
    if !rows.is_empty() {
        line(columns.iter().map(|column| (*column).clone()).collect());
    }
    for row in rows {
        line(columns.iter().map(|column| cell(row, column)).collect());
    }
    text
}
