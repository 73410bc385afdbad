//! Running programs and saying what failed.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

/// What went wrong, in words for a terminal.
pub(crate) type Done = Result<(), String>;

pub(crate) fn exit_code(done: Done) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where everything that xtask installs or caches goes.
pub(crate) fn cache() -> PathBuf {
    root().join("target/xtask")
}

/// Runs a program in the root of the workspace, with the installed tools on its path.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Done {
    run_in(&root(), program, arguments)
}

/// Runs a program in a folder.
pub(crate) fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> Done {
    let line = format!("{program} {}", arguments.join(" "));
    println!("$ {line}");
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("PATH", path())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("`{line}` could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status})")) }
}

/// Whether a program can be started and succeeds.
pub(crate) fn exists(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PATH", path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The standard output of a program that must succeed.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the search path is handed on, not configuration")]
fn path() -> OsString {
    let mut path = cache().join("tools/bin").into_os_string();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}
