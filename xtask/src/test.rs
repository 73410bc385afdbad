//! Every check, in the order in which a mistake is cheapest to find.

use crate::{
    matrix::{self, Matrix},
    setup,
    shell::{self, Done},
};

/// Title, program and arguments of each check.
const CHECKS: [(&str, &[&str]); 7] = [
    ("formatting", &["fmt", "--all", "--check"]),
    ("dependencies", &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    ("the programs that the tests start", &["build", "--workspace", "--bins", "--quiet"]),
    ("unit, property and end-to-end tests", &["nextest", "run", "--workspace", "--no-fail-fast"]),
    ("examples in the documentation", &["test", "--workspace", "--doc", "--quiet"]),
    ("the tour of the quickstart", &["quickstart", "--tour"]),
];

pub(crate) fn run() -> Done {
    setup::run()?;
    println!("\n== the page of negative tests");
    matrix::run(&Matrix { check: true })?;
    for (title, arguments) in CHECKS {
        println!("\n== {title}");
        shell::run("cargo", arguments)?;
    }
    println!(
        "\nall {} checks passed; known vulnerabilities need a network: cargo deny check advisories",
        CHECKS.len() + 1
    );
    Ok(())
}
