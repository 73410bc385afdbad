//! `docs/security/auth-test-matrix.md`: what is tried against the authorization server, what it must answer, and the test
//! that tries it. It is made from the doc comments of the tests, so that it cannot promise what no test keeps.

mod marker;
mod page;
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::shell::{Done, root};

/// Where the page is.
const PAGE: &str = "docs/security/auth-test-matrix.md";

/// Where tests are.
const FOLDERS: [&str; 4] = ["bins", "crates", "examples", "tests"];

/// Folders without tests of ours.
const SKIPPED: [&str; 3] = ["fuzz", "node_modules", "target"];

#[derive(Args)]
pub(crate) struct Matrix {
    /// Write nothing: fail when the page is not what the tests say.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(matrix: &Matrix) -> Done {
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for path in sources()? {
        let text = fs::read_to_string(root().join(&path)).map_err(|error| format!("{path}: {error}"))?;
        let read = source::read(&path, &text);
        entries.extend(read.entries);
        problems.extend(read.problems);
    }
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    let missing = page::missing(&entries);
    if !missing.is_empty() {
        let numbers = missing.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        return Err(format!("no test tries SEC-{numbers}: mark one that does in its doc comment"));
    }
    let made = page::render(entries);
    let path = root().join(PAGE);
    if matrix.check {
        let kept = fs::read_to_string(&path).unwrap_or_default();
        return if kept == made { Ok(()) } else { Err(format!("{PAGE} is stale: run `cargo xtask matrix`")) };
    }
    fs::write(&path, made).map_err(|error| format!("{PAGE}: {error}"))
}

/// Every Rust file that may hold tests, from the root of the workspace, in order.
fn sources() -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(root().join(&folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                folders.push(path);
            } else if kind.is_file() && path.extension() == Some("rs".as_ref()) {
                found.push(text(&path)?);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn text(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is no text", path.display()))
}
