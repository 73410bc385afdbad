//! Reading settings: every problem at once, the environment over the file, secrets by reference only.

use std::{fs, net::SocketAddr};

use secrecy::ExposeSecret;
use settings::{Document, Secret, Span};

const NO_VARIABLES: [(&str, &str); 0] = [];

#[test]
fn every_problem_is_reported_with_place_found_and_expected() {
    let text = "
public_url = 7
typo = true
[listen]
public = \"nowhere\"
[[service]]
name = \"a\"
weight = 3
[database]
password = \"hunter2\"
";
    let document = Document::parse(text, "APP", [("APP_RETRIES", "many")]).unwrap();
    let problems = document
        .read(|root| {
            root.required::<SocketAddr>("public_url", "an address");
            root.required::<String>("name", "a name");
            root.or::<u8>("retries", "a small number", 3);
            root.section("listen").required::<SocketAddr>("public", "an address such as 0.0.0.0:80");
            for mut service in root.sections("service") {
                service.required::<String>("name", "a name");
                service.required::<String>("path", "a path");
            }
            root.section("database").secret("password");
            Some(())
        })
        .unwrap_err()
        .to_string();
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(
        lines,
        [
            "line 2: public_url: found \"7\", expected an address",
            "name: found nothing, expected a name (or the variable APP_NAME)",
            "APP_RETRIES: retries: found \"many\", expected a small number",
            "line 5: listen.public: found \"nowhere\", expected an address such as 0.0.0.0:80",
            "service[0].path: found nothing, expected a path",
            "line 8: service[0].weight: found an unknown key, expected one of name, path",
            "line 10: database.password: found something else (not shown), expected a reference to the secret: \
             { file = \"path\" }, { env = \"NAME\" } or { secretsmanager = \"arn\" }",
            "line 3: typo: found an unknown key, expected one of database, listen, name, public_url, retries, service",
        ]
    );
}

#[test]
fn a_variable_replaces_what_the_file_says() {
    let document = Document::parse(
        "host = \"a\"\nports = [1]\n[limits]\nidle = \"1s\"\n[[item]]\nname = \"x\"",
        "APP",
        [
            ("APP_HOST", "b"),
            ("APP_PORTS", "[2, 3]"),
            ("APP_LIMITS_IDLE", "2m"),
            ("APP_ITEM", "[{ name = \"y\" }]"),
            ("OTHER", "z"),
        ],
    )
    .unwrap();
    let read = document.read(|root| {
        let host = root.required::<String>("host", "a host")?;
        let ports = root.list::<u16>("ports", "a port");
        let idle = root.section("limits").required::<Span>("idle", "a span of time such as 30s")?;
        let names: Vec<String> =
            root.sections("item").iter_mut().filter_map(|item| item.required("name", "a name")).collect();
        Some((host, ports, idle.0.as_secs(), names))
    });
    assert_eq!(read.unwrap(), ("b".to_owned(), vec![2, 3], 120, vec!["y".to_owned()]));
}

#[test]
fn variables_that_nobody_asked_for_are_known() {
    let variables = [("APP_HOST", "a"), ("APP_SECRET", "s"), ("APP_HOTS", "b"), ("OTHER_HOST", "c")];
    let document = Document::parse("key = { env = \"APP_SECRET\" }", "APP", variables).unwrap();
    document.read(|root| Some((root.required::<String>("host", "a host")?, root.secret("key")?))).unwrap();
    assert_eq!(document.unknown_variables(), ["APP_HOTS"]);
}

#[test]
fn a_section_is_present_when_the_file_or_a_variable_writes_it() {
    for (text, variables, present) in [
        ("", vec![], false),
        ("[tls]", vec![], true),
        ("", vec![("APP_TLS_CERT", "x")], true),
        ("", vec![("APP_TLSX", "x")], false),
    ] {
        let document = Document::parse(text, "APP", variables).unwrap();
        let read = document.read(|root| {
            let mut tls = root.section("tls");
            tls.optional::<String>("cert", "a file");
            Some(tls.is_present())
        });
        assert_eq!(read.unwrap(), present, "{text:?}");
    }
}

#[test]
fn lists_of_one_and_json_tables_keep_their_types() {
    let text = "one = \"a, b\"\nmany = [\"a\", \"b\"]\n[claims]\ngroups = [\"x\"]\nlevel = 3\nadmin = true\nborn = 2000-01-01";
    let document = Document::parse(text, "APP", NO_VARIABLES).unwrap();
    let (one, many, claims) = document
        .read(|root| {
            Some((
                root.text_or_list("one", "a host"),
                root.text_or_list("many", "a host"),
                root.json("claims"),
            ))
        })
        .unwrap();
    assert_eq!((one, many), (vec!["a, b".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
    let expected = serde_json::json!({"groups": ["x"], "level": 3, "admin": true, "born": "2000-01-01"});
    assert_eq!(serde_json::Value::Object(claims), expected);
}

#[test]
fn secrets_come_from_files_and_variables() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("secret"), "s3cret\n").unwrap();
    let file = directory.path().join("app.toml");
    fs::write(&file, "a = { file = \"secret\" }\nb = { env = \"B\" }\nc = { secretsmanager = \"arn:x\" }")
        .unwrap();
    let document = Document::load(Some(&file), "APP", [("B", "other")]).unwrap();
    let (a, b, c) =
        document.read(|root| Some((root.secret("a")?, root.secret("b")?, root.secret("c")?))).unwrap();
    let value = |secret: &Secret| match secret {
        Secret::Here(value) => value.expose_secret().to_owned(),
        Secret::SecretsManager(arn) => arn.clone(),
    };
    assert_eq!([value(&a), value(&b), value(&c)], ["s3cret", "other", "arn:x"]);
    assert!(!format!("{a:?}").contains("s3cret"));
}

#[test]
fn an_unusable_secret_names_what_is_wrong_and_never_the_secret() {
    let cases = [
        ("s = \"hunter2\"", "found something else (not shown)"),
        ("s = { env = \"MISSING\" }", "\"MISSING\", which is not set"),
        ("s = { file = \"/nowhere\" }", "\"/nowhere\" that cannot be read"),
        ("s = { vault = \"x\" }", "an unknown kind of reference \"vault\""),
        ("s = { env = \"EMPTY\" }", "a reference to an empty secret"),
    ];
    for (text, expected) in cases {
        let document = Document::parse(text, "APP", [("EMPTY", "")]).unwrap();
        let problems = document.read(|root| root.secret("s")).unwrap_err().to_string();
        assert!(problems.contains(expected) && !problems.contains("hunter2"), "{problems}");
    }
}

#[test]
fn syntax_errors_and_unreadable_files_say_where() {
    let error = Document::parse("a = 1\nb = = 2", "APP", NO_VARIABLES).unwrap_err();
    assert!(error.to_string().starts_with("line 2: found a syntax error"), "{error}");
    let error = Document::load(Some("/nowhere/app.toml".as_ref()), "APP", NO_VARIABLES).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/app.toml: found "), "{error}");
}
