//! The locked npm packages: clients, an identity provider, a conformance suite, and the Node.js that runs them.

use std::{fs, path::Path};

use serde_json::Value;

use super::{read, replace, write};
use crate::shell::{Done, cache, root, run_in};

/// Installs them and links them to where the scripts are.
pub(super) fn packages() -> Done {
    let scripts = root().join("tests/e2e/node");
    let folder = cache().join("node");
    let [package, lock] = ["package.json", "package-lock.json"].map(|name| read(&scripts.join(name)));
    let (package, lock) = (package?, lock?);
    replace(&folder, &lock, |folder| {
        println!("installing the npm packages of tests/e2e/node under target/xtask/node");
        write(&folder.join("package.json"), &package)?;
        write(&folder.join("package-lock.json"), &lock)?;
        run_in(folder, "npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"]).map_err(|error| {
            format!("install the npm packages {} and run this again: {error}", names(&package))
        })
    })?;
    for linked in [scripts, root().join("tests/aws-sim/iam-simulate")] {
        link(&folder.join("node_modules"), &linked.join("node_modules"))?;
    }
    Ok(())
}

fn names(package: &str) -> String {
    let package: Value = serde_json::from_str(package).unwrap_or_default();
    let wanted = package.get("dependencies").and_then(Value::as_object).into_iter().flatten();
    let named = wanted.map(|(name, version)| format!("{name}@{}", version.as_str().unwrap_or("?")));
    named.collect::<Vec<_>>().join(", ")
}

fn link(to: &Path, from: &Path) -> Done {
    if fs::read_link(from).is_ok_and(|target| target == to) || !from.parent().is_some_and(Path::exists) {
        return Ok(());
    }
    // A link left by a moved checkout is replaced; anything else in its place makes the next line fail.
    let _ = fs::remove_file(from);
    std::os::unix::fs::symlink(to, from).map_err(|error| format!("{}: {error}", from.display()))
}
