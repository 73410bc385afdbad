//! Installs what the tests need: servers and Node.js from the system's packages, cargo tools and npm packages under
//! `target/xtask`. What is there already is left alone; what is installed is said.

use std::{fs, path::Path};

use crate::shell::{self, Done, cache, exists, output, root, run_in};

/// A cargo tool: program, an argument with which it succeeds, version.
const TOOLS: [(&str, &str, &str); 2] =
    [("cargo-nextest", "--version", "0.9.143"), ("cargo-deny", "--version", "0.20.2")];

/// Where Debian puts the PostgreSQL server's programs.
const POSTGRESQL: &str = "/usr/lib/postgresql";

pub(crate) fn run() -> Done {
    packages()?;
    tools()?;
    node()
}

fn packages() -> Done {
    let postgresql = exists("initdb", "--version") || Path::new(POSTGRESQL).exists();
    let mut missing = Vec::new();
    if !postgresql {
        missing.push("postgresql");
    }
    if !exists("npm", "--version") {
        missing.extend(["nodejs", "npm"]);
    }
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing the system packages {}", missing.join(", "));
    let root_user = output("id", &["-u"]).is_some_and(|id| id == "0");
    let (program, first): (&str, &[&str]) =
        if root_user { ("apt-get", &[]) } else { ("sudo", &["-n", "apt-get"]) };
    let apt = |arguments: &[&str]| shell::run(program, &[first, arguments].concat());
    apt(&["update"])
        .and_then(|()| apt(&[&["install", "-y", "--no-install-recommends"], missing.as_slice()].concat()))
        .map_err(|error| format!("install the package(s) {} and run this again: {error}", missing.join(", ")))
}

fn tools() -> Done {
    let folder = cache().join("tools");
    for (program, argument, version) in TOOLS {
        if exists(program, argument) {
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
        )?;
    }
    Ok(())
}

/// Installs the locked npm packages and links them to where the scripts are.
fn node() -> Done {
    let scripts = root().join("tests/e2e/node");
    let folder = cache().join("node");
    let locked = read(&scripts.join("package-lock.json"))?;
    let stamp = folder.join("installed-lock.json");
    if fs::read_to_string(&stamp).unwrap_or_default() != locked {
        println!("installing the npm packages of tests/e2e/node under target/xtask/node");
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for file in ["package.json", "package-lock.json"] {
            write(&folder.join(file), &read(&scripts.join(file))?)?;
        }
        run_in(&folder, "npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
        write(&stamp, &locked)?;
    }
    for linked in [scripts, root().join("tests/aws-sim/iam-simulate")] {
        link(&folder.join("node_modules"), &linked.join("node_modules"))?;
    }
    Ok(())
}

fn link(to: &Path, from: &Path) -> Done {
    if fs::read_link(from).is_ok_and(|target| target == to) || !from.parent().is_some_and(Path::exists) {
        return Ok(());
    }
    // A link left by a moved checkout is replaced; anything else in its place makes the next line fail.
    let _ = fs::remove_file(from);
    std::os::unix::fs::symlink(to, from).map_err(|error| format!("{}: {error}", from.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Done {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
