//! Installs what the tests need: servers, a browser and interpreters from the system's packages; cargo tools, npm and Python
//! packages under `target/xtask`. What is there already is left alone; what is installed is said.

mod node;
mod python;
mod system;

use std::{fs, path::Path};

use crate::shell::{self, Done, cache, exists};

/// A cargo tool: program, an argument with which it succeeds, version.
const TOOLS: [(&str, &str, &str); 2] =
    [("cargo-nextest", "--version", "0.9.143"), ("cargo-deny", "--version", "0.20.2")];

pub(crate) fn run() -> Done {
    system::packages()?;
    tools()?;
    node::packages()?;
    python::packages()
}

fn tools() -> Done {
    let folder = cache().join("tools");
    for (program, argument, version) in TOOLS {
        if exists(program, &[argument]) {
            continue;
        }
        println!("installing {program} {version} under target/xtask/tools");
        let target = cache().join("tools-build");
        shell::run(
            "cargo",
            &[
                "install",
                "--locked",
                "--quiet",
                "--version",
                version,
                "--root",
                &folder.display().to_string(),
                "--target-dir",
                &target.display().to_string(),
                program,
            ],
        )
        .map_err(|error| format!("install the cargo tool {program} {version} and run this again: {error}"))?;
    }
    Ok(())
}

/// Fills a folder of the cache anew when what is pinned differs from what it was filled with: `install` fills a folder
/// beside it, which takes its place when it is complete, so that a failure leaves the old one.
fn replace(folder: &Path, pinned: &str, install: impl FnOnce(&Path) -> Done) -> Done {
    if read(&folder.join(STAMP)).is_ok_and(|installed| installed == pinned) {
        return Ok(());
    }
    let [new, old] = ["new", "old"].map(|suffix| folder.with_extension(suffix));
    remove(&new)?;
    remove(&old)?;
    fs::create_dir_all(&new).map_err(|error| format!("{}: {error}", new.display()))?;
    install(&new)?;
    write(&new.join(STAMP), pinned)?;
    if folder.exists() {
        rename(folder, &old)?;
    }
    rename(&new, folder)?;
    remove(&old)
}

/// What a folder of the cache was filled with.
const STAMP: &str = "installed";

fn remove(folder: &Path) -> Done {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn rename(from: &Path, to: &Path) -> Done {
    fs::rename(from, to).map_err(|error| format!("{}: {error}", from.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Done {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
