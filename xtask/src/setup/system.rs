//! What Debian packages: servers, a browser, interpreters.

use std::path::Path;

use crate::shell::{self, Done, exists, output};

/// Something that the tests start.
struct Needed {
    /// The packages that bring it.
    packages: &'static [&'static str],
    /// Whether it is here.
    here: fn() -> bool,
}

const NEEDED: [Needed; 4] = [
    Needed {
        packages: &["postgresql"],
        here: || exists("initdb", &["--version"]) || Path::new("/usr/lib/postgresql").exists(),
    },
    Needed { packages: &["nodejs", "npm"], here: || exists("npm", &["--version"]) },
    Needed { packages: &["chromium"], here: || Path::new("/usr/bin/chromium").exists() },
    Needed { packages: &["python3-venv"], here: || exists("python3", &["-c", "import ensurepip, venv"]) },
];

/// Installs the packages of what is missing.
pub(super) fn packages() -> Done {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(", ");
    println!("installing the system packages {names}");
    let root_user = output("id", &["-u"]).is_some_and(|id| id == "0");
    let (program, first): (&str, &[&str]) =
        if root_user { ("apt-get", &[]) } else { ("sudo", &["-n", "apt-get"]) };
    let apt = |arguments: &[&str]| shell::run(program, &[first, arguments].concat());
    apt(&["update"])
        .and_then(|()| apt(&[&["install", "-y", "--no-install-recommends"], missing.as_slice()].concat()))
        .map_err(|error| format!("install the package(s) {names} and run this again: {error}"))?;
    let missing = self::missing().join(", ");
    if missing.is_empty() { Ok(()) } else { Err(format!("{missing} is installed and does not work")) }
}

fn missing() -> Vec<&'static str> {
    NEEDED.iter().filter(|needed| !(needed.here)()).flat_map(|needed| needed.packages).copied().collect()
}
