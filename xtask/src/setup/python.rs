//! The pinned Python packages, in a virtual environment of their own: an identity provider that is not written in JavaScript.

use super::{read, replace};
use crate::shell::{Done, cache, root, run};

/// Where the packages and their digests are.
const REQUIREMENTS: &str = "tests/e2e/python/requirements.txt";

/// Installs them.
pub(super) fn packages() -> Done {
    let requirements = root().join(REQUIREMENTS);
    replace(&cache().join("python"), &read(&requirements)?, |folder| {
        println!("installing the PyPI packages of tests/e2e/python under target/xtask/python");
        run("python3", &["-m", "venv", &folder.display().to_string()])?;
        let python = folder.join("bin/python").display().to_string();
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let exactly = ["--require-hashes", "--only-binary", ":all:", "--requirement"];
        run(&python, &[&quiet, exactly.as_slice(), &[&requirements.display().to_string()]].concat()).map_err(
            |error| {
                format!("install the PyPI package django-oauth-toolkit ({REQUIREMENTS}) and run this again: {error}")
            },
        )
    })
}
