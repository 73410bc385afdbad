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

/// A folder whose database is sealed, and the variables that open it.
fn sealed(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connect-server"));
    command.arg("--config").arg(folder.join("connect.toml")).args(arguments).env_clear();
    command.envs(variables.iter().copied()).current_dir(folder).output().unwrap()
}

/// SEC-64: the sealing key is lost, or another one -> `check` says which key is missing and fails
#[test]
fn keys_are_listed_rotated_withdrawn_and_checked() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("connect.toml"), format!("{CONFIG}[keys]\nseal = {{ env = \"SEAL\" }}\n")).unwrap();
    let (one, two) = ("11".repeat(32), "22".repeat(32));
    let run = |key: &str, arguments: &[&str]| sealed(path, &[("SEAL", key)], arguments);
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = run(&one, &[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(json(&["keys", "list"]), serde_json::json!([]));
    let first = json(&["keys", "rotate"])["made"].as_str().unwrap().to_owned();
    let listed = json(&["keys", "list"]);
    assert_eq!((&listed[0]["state"], &listed[0]["algorithm"]), (&"current".into(), &"ES256".into()));
    assert!(listed[0]["sealed_with"].as_str().unwrap().starts_with("aes-"));
    json(&["keys", "rotate"]);
    let waiting = run(&one, &["keys", "rotate"]);
    assert_eq!(waiting.status.code(), Some(1));
    assert!(String::from_utf8(waiting.stderr).unwrap().contains("already waits"));
    let done = json(&["keys", "rotate", "--revoke", &first]);
    let made = done["made"].as_str().unwrap();
    let state = |kid: &str| {
        let keys = done["keys"].as_array().unwrap();
        keys.iter().find(|key| key["kid"] == kid).unwrap()["state"].clone()
    };
    assert_eq!((state(&first), state(made)), ("revoked".into(), "current".into()));
    let text = String::from_utf8(run(&one, &["keys", "rotate", "--now"]).stdout).unwrap();
    assert!(text.contains("for up to 5 minutes") && text.contains("next"), "{text}");
    assert_eq!(run(&one, &["keys", "rotate", "--now", "--revoke", made]).status.code(), Some(2));

    let problems = |key: &str| -> Vec<serde_json::Value> {
        let output = run(key, &["check", "--json"]);
        let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        let of_keys = |found: &serde_json::Value| found["what"].as_str().unwrap().starts_with("signing key");
        findings.into_iter().filter(|found| of_keys(found) && found["ok"] == false).collect()
    };
    assert_eq!(problems(&one).len(), 0);
    let wrong = problems(&two);
    assert_eq!(wrong.len(), 3, "every key but the one that was withdrawn");
    let detail = wrong[0]["detail"].as_str().unwrap();
    assert!(detail.contains("sealed with the key aes-") && !detail.contains(&one), "{detail}");
    assert!(problems("no key")[0]["detail"].as_str().unwrap().contains("openssl rand"));
    let audit = fs::read_to_string(path.join("audit.jsonl")).unwrap();
    let count = |reason: &str| audit.lines().filter(|line| line.contains(reason)).count();
    assert_eq!((count("signing_key_made"), count("signing_key_revoked")), (4, 1), "{audit}");
}

/// SEC-64: a replica with another public URL -> `check` says whose the database is
#[test]
fn a_database_is_of_one_public_url() {
    let folder = folder();
    let path = folder.path();
    let check = |path: &Path| -> String { String::from_utf8(run(path, &["check"]).stdout).unwrap() };
    said(path, &["migrate", "--new-public-url"]);
    assert!(check(path).contains("ok      keys.seal: warning: signing keys are readable"), "{}", check(path));
    let moved = CONFIG.replace("connect.example.com", "moved.example.com");
    fs::write(path.join("connect.toml"), &moved).unwrap();
    let words = check(path);
    assert!(words.contains("PROBLEM store: the store belongs to https://connect.example.com"), "{words}");
    let words = said(path, &["migrate", "--new-public-url"]);
    assert!(words.contains("belonged to https://connect.example.com"), "{words}");
    assert!(!check(path).contains("the store belongs"));
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_client_is_added_shown_given_a_new_secret_and_removed() {
    let folder = folder();
    let path = folder.path();
    let added = json(&said(
        path,
        &[
            "client",
            "add",
            "--json",
            "--id",
            "nightly",
            "--name",
            "Nightly report",
            "--grant-type",
            "client_credentials",
            "--tenant",
            "acme",
            "--hint",
            "team=[\"research\"]",
            "--service",
            "platform",
            "--scope",
            "platform",
            "--refresh-replay",
            "5",
        ],
    ));
    let secret = added["client_secret"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 43);
    assert_eq!(added["settings"]["resources"][0], "https://connect.example.com/mcp/platform");
    assert_eq!(added["settings"]["hints"]["team"][0], "research");
    let shown = said(path, &["client", "show", "nightly", "--json"]);
    assert_eq!(json(&shown)["authentication"], "client_secret_basic");
    assert!(!shown.contains(&secret));

    let replaced = json(&said(path, &["client", "secret", "nightly", "--overlap", "1h", "--json"]));
    assert_ne!(replaced["client_secret"], secret);
    let ends_at = replaced["old_secret_ends_at"].as_u64().unwrap();
    assert!(ends_at >= replaced["registered_at"].as_u64().unwrap() + 3600);

    assert!(
        said(path, &["client", "list"]).contains("nightly\toperator\tclient_secret_basic\tNightly report")
    );
    assert_eq!(json(&said(path, &["client", "list", "--json"])).as_array().unwrap().len(), 1);
    assert_eq!(said(path, &["client", "remove", "nightly"]), "removed nightly and revoked 0 grant(s)\n");
    let gone = run(path, &["client", "show", "nightly"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("there is no client \"nightly\""));

    let audit = fs::read_to_string(path.join("audit.jsonl")).unwrap();
    for verb in ["client_add", "client_secret", "client_remove"] {
        assert!(audit.contains(verb), "{verb}: {audit}");
    }
    assert!(!audit.contains(&secret));
}

/// SEC-39: clients of hosts that are not listed, public ones with their own tokens, ids that are taken or URLs, private keys -> exit code 1, nothing is added
#[test]
fn a_client_that_cannot_work_is_not_added() {
    let folder = folder();
    let path = folder.path();
    let configured = format!(
        "{CONFIG}[[client]]\nid = \"ours\"\nauthentication = \"none\"\nredirect_uris = [\"https://claude.ai/a\"]\n\
         grant_types = [\"authorization_code\"]\n"
    );
    fs::write(path.join("connect.toml"), configured).unwrap();
    fs::write(path.join("private.json"), r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#).unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["--redirect-uri", "https://evil.example/"], "is not allowed (not_listed)"),
        (&[], "go together"),
        (
            &["--grant-type", "client_credentials", "--authentication", "none"],
            "needs a client that authenticates",
        ),
        (&["--id", "https://claude.ai/x", "--grant-type", "client_credentials"], "is not 1 to 128 letters"),
        (&["--id", "ours", "--grant-type", "client_credentials"], "there is a client \"ours\" already"),
        (&["--grant-type", "client_credentials", "--service", "nothing"], "services: found \"nothing\""),
        (
            &["--grant-type", "client_credentials", "--authentication", "private_key_jwt"],
            "both or neither of jwks and jwks_uri",
        ),
        (
            &["--authentication", "private_key_jwt", "--jwks", "private.json"],
            "holds a private or symmetric key",
        ),
    ];
    for (arguments, expected) in cases {
        let refused = run(path, &[&["client", "add"], arguments].concat());
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {words}");
        assert!(words.contains(expected), "{arguments:?}: {words}");
        assert!(!words.contains("c2VjcmV0"));
    }
    let all = json(&said(path, &["client", "list", "--json"]));
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["origin"], "configuration");
    let kept = run(path, &["client", "remove", "ours"]);
    assert!(String::from_utf8_lossy(&kept.stderr).contains("is in the configuration"));
}

#[test]
fn a_token_that_lets_clients_register_is_made_listed_and_revoked() {
    let folder = folder();
    let path = folder.path();
    let made = json(&said(path, &["client", "token", "add", "--label", "ci", "--uses", "3", "--json"]));
    let plain = made["token"].as_str().unwrap();
    assert_eq!((plain.len(), made["uses_left"].as_u64()), (43, Some(3)));
    let listed = said(path, &["client", "token", "list", "--json"]);
    assert!(!listed.contains(plain));
    assert_eq!(json(&listed)[0]["label"], "ci");
    let id = made["id"].as_str().unwrap();
    assert_eq!(said(path, &["client", "token", "revoke", id]), format!("revoked {id}\n"));
    assert_eq!(said(path, &["client", "token", "list"]), "");
    assert_eq!(run(path, &["client", "token", "revoke", id]).status.code(), Some(1));
    assert_eq!(run(path, &["client", "token", "add", "--uses", "0"]).status.code(), Some(2));
}
