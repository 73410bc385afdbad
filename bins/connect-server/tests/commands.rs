//! The commands an operator types, on an SQLite file.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const CONFIG: &str = r#"
public_url = "https://connect.example.com"
allowed_hosts = "claude.ai"
[listen]
private = "127.0.0.1:1"
[database]
url = "sqlite:connect.db"
[audit]
file = "audit.jsonl"
[[identity_provider]]
id = "okta"
issuer = "http://127.0.0.1:1"
client_id = "c"
[[service]]
name = "platform"
path = "/mcp/platform"
upstream = "http://127.0.0.1:1/mcp"
"#;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connect-server"));
    command.arg("--config").arg(folder.join("connect.toml")).args(arguments).env_clear();
    command.current_dir(folder).output().unwrap()
}

fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {words}{}", String::from_utf8_lossy(&output.stderr));
    words
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("connect.toml"), CONFIG).unwrap();
    folder
}

#[test]
fn a_mapping_is_built_changed_and_carried_over() {
    let (here, there) = (folder(), folder());
    let path = here.path();
    assert!(said(path, &["migrate"]).contains("migration(s) applied"));
    said(path, &["mapping", "set", "tenant", "id=acme", "name=Acme"]);
    said(
        path,
        &["mapping", "set", "subject", "issuer=https://idp.example.com", "subject=1234", "tenant=acme"],
    );
    let arn = "role_arn=arn:aws:iam::111122223333:role/data/reader";
    let tags = "tags={ tenant = \"acme\", team = { claim = \"/team\" } }";
    said(path, &["mapping", "set", "role", "tenant=acme", "name=reader", arn, tags]);
    said(path, &["mapping", "set", "rule", "id=1", "tenant=acme", "role=reader"]);
    said(
        path,
        &["mapping", "set", "subject", "issuer=https://idp.example.com", "subject=1234", "active=false"],
    );
    let listed: serde_json::Value =
        serde_json::from_str(&said(path, &["mapping", "list", "subjects", "--json"])).unwrap();
    assert_eq!(listed["subjects"][0]["active"], false);
    assert_eq!(listed["subjects"][0]["tenant"], "acme", "a field that was not named stays");

    for (file, flags) in [("mapping.toml", vec![]), ("mapping.json", vec!["--json"])] {
        let exported = said(path, &[&["mapping", "export"], flags.as_slice()].concat());
        fs::write(there.path().join(file), &exported).unwrap();
        said(there.path(), &["mapping", "import", file]);
        assert_eq!(
            said(there.path(), &["mapping", "export", "--json"]),
            said(path, &["mapping", "export", "--json"])
        );
    }

    said(path, &["mapping", "remove", "rule", "id=1"]);
    assert!(said(path, &["mapping", "list", "rules"]).starts_with("rules (0)"));
    let audit = fs::read_to_string(path.join("audit.jsonl")).unwrap();
    assert_eq!(
        audit.lines().filter(|line| line.contains(r#""action":"admin_change""#)).count(),
        6,
        "{audit}"
    );
}

#[test]
fn a_broken_mapping_is_refused_whole_and_says_where() {
    let folder = folder();
    let path = folder.path();
    said(path, &["mapping", "set", "tenant", "id=acme", "name=Acme"]);
    let before = said(path, &["mapping", "export"]);
    let broken = "[[tenants]]\nid = \"acme\"\nname = \"Acme\"\n[[rules]]\nid = 1\ntenant = \"nowhere\"\nrole = \"none\"\n";
    fs::write(path.join("broken.toml"), broken).unwrap();
    let output = run(path, &["mapping", "import", "broken.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("rules 1") && words.contains("nowhere") && words.contains("expected"), "{words}");
    assert_eq!(said(path, &["mapping", "export"]), before);
}

#[test]
fn check_finds_what_users_would_find() {
    let folder = folder();
    said(folder.path(), &["migrate"]);
    let output = run(folder.path(), &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let state = |what: &str| findings.iter().find(|finding| finding["what"] == what).unwrap()["ok"].clone();
    assert_eq!(
        (state("configuration"), state("database"), state("mapping")),
        (true.into(), true.into(), true.into())
    );
    assert_eq!((state("identity provider okta"), state("service platform")), (false.into(), false.into()));
}

#[test]
fn usage_is_exit_code_two_and_an_unwell_server_is_one() {
    let folder = folder();
    assert_eq!(run(folder.path(), &["mapping", "frobnicate"]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["--help"]).status.code(), Some(0));
    let output = run(folder.path(), &["healthcheck"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is not well"));
}
