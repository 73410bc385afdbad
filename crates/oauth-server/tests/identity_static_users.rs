//! Sign-in with a list of users.

use oauth_server::identity::{
    HashError, IdentityConfigError, IdentitySource, StaticUser, StaticUsers, hash_password,
};
use secrecy::SecretString;
use serde_json::{Map, json};

const ISSUER: &str = "https://connect.example/static";

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn user(username: &str, password_hash: &str) -> StaticUser {
    StaticUser {
        username: username.into(),
        password_hash: password_hash.into(),
        tenant: Some("acme".into()),
        subject: format!("auth0|{username}/é"),
        display_name: Some("Someone".into()),
        hints: Map::from_iter([("groups".to_owned(), json!(["data"]))]),
    }
}

#[test]
fn the_right_password_gives_the_identity_and_nothing_else_does() {
    let alice = hash_password(&secret("correct horse")).unwrap();
    let bob = hash_password(&secret("battery staple")).unwrap();
    let users = StaticUsers::new("people", ISSUER, vec![user("alice", &alice), user("bob", &bob)]).unwrap();
    let identity = users.verify("alice", &secret("correct horse")).unwrap();
    assert_eq!((identity.issuer.as_str(), identity.subject.as_str()), (ISSUER, "auth0|alice/é"));
    assert_eq!(
        (identity.tenant.as_deref(), identity.display_name.as_deref()),
        (Some("acme"), Some("Someone"))
    );
    assert_eq!(serde_json::Value::from(identity.hints), json!({"groups": ["data"]}));
    assert_eq!(users.verify("bob", &secret("battery staple")).unwrap().subject, "auth0|bob/é");
    for (username, password) in [
        ("alice", "battery staple"),
        ("alice", "correct horse "),
        ("alice", "Correct horse"),
        ("alice", ""),
        ("Alice", "correct horse"),
        ("alice ", "correct horse"),
        ("", "correct horse"),
        // The decoy's password opens no account that does not exist.
        ("carol", "correct horse"),
        ("carol", "battery staple"),
    ] {
        assert_eq!(users.verify(username, &secret(password)), None, "{username:?} {password:?}");
    }
}

#[test]
fn hashes_are_salted_argon2id_of_the_recommended_cost() {
    let (one, two) = (hash_password(&secret("same")).unwrap(), hash_password(&secret("same")).unwrap());
    assert_ne!(one, two);
    for hash in [one, two] {
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }
    assert_eq!(hash_password(&secret("")), Err(HashError::Empty));
}

#[test]
fn weak_or_broken_hashes_are_refused_by_user() {
    let good = hash_password(&secret("x")).unwrap();
    let (_, salt_and_hash) = good.split_once("p=1$").unwrap();
    let (salt, hash) = salt_and_hash.split_once('$').unwrap();
    let costing = |cost: &str| format!("$argon2id$v=19${cost}${salt}${hash}");
    for (password_hash, problem) in [
        (String::new(), "PHC"),
        ("correct horse".to_owned(), "PHC"),
        (format!("{good}$more"), "PHC"),
        ("$2b$12$abcdefghijklmnopqrstuuAbCdEfGhIjKlMnOpQrStUvWxYz01234".to_owned(), "PHC"),
        (good.replace("argon2id", "argon2i"), "not argon2id"),
        (good.replace("argon2id", "argon2d"), "not argon2id"),
        (good.replace("argon2id", "scrypt"), "not argon2id"),
        (good.replace("v=19", "v=16"), "version"),
        (good.replace("$v=19", ""), "version"),
        (format!("$argon2id$v=19$m=19456,t=2,p=1${salt}"), "salt"),
        (format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$AAAAAAAAAAAAAA"), "salt"),
        (costing("m=19456,t=1,p=1"), "weaker"),
        (costing("m=4096,t=16,p=1"), "weaker"),
        (costing("m=8,t=1,p=1"), "weaker"),
        (costing("m=4194304,t=2,p=1"), "costs more"),
        (costing("m=19456,t=1000,p=1"), "costs more"),
        (costing("m=19456,t=2,p=1,x=1"), "parameters"),
    ] {
        let error = StaticUsers::new("people", ISSUER, vec![user("alice", &password_hash)]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\"alice\"") && text.contains(problem), "{password_hash}: {text}");
        assert!(password_hash.is_empty() || !text.contains(&password_hash), "{text}");
    }
    for cost in ["m=47104,t=1,p=1", "m=19456,t=2,p=1", "m=12288,t=3,p=1", "m=9216,t=4,p=1", "m=7168,t=5,p=1"]
    {
        assert!(StaticUsers::new("people", ISSUER, vec![user("alice", &costing(cost))]).is_ok(), "{cost}");
    }
}

#[test]
fn a_list_that_cannot_be_right_is_refused() {
    let hash = hash_password(&secret("x")).unwrap();
    let refused = |id: &str, issuer: &str, users| StaticUsers::new(id, issuer, users).unwrap_err();
    assert_eq!(refused("people", ISSUER, vec![]), IdentityConfigError::Empty { field: "users" });
    assert_eq!(
        refused("people", " ", vec![user("a", &hash)]),
        IdentityConfigError::Empty { field: "issuer" }
    );
    assert_eq!(
        refused("people", ISSUER, vec![user(" ", &hash)]),
        IdentityConfigError::Empty { field: "username" }
    );
    assert_eq!(refused("a/b", ISSUER, vec![user("a", &hash)]), IdentityConfigError::Id { id: "a/b".into() });
    let twice = vec![user("alice", &hash), StaticUser { subject: "other".into(), ..user("alice", &hash) }];
    assert_eq!(
        refused("people", ISSUER, twice),
        IdentityConfigError::DuplicateUser { username: "alice".into() }
    );
    let same =
        vec![user("alice", &hash), StaticUser { subject: "auth0|alice/é".into(), ..user("bob", &hash) }];
    assert_eq!(
        refused("people", ISSUER, same),
        IdentityConfigError::DuplicateSubject { username: "bob".into() }
    );
    let mixed = vec![user("alice", &hash), user("bob", &hash.replace("t=2", "t=3"))];
    assert!(refused("people", ISSUER, mixed).to_string().contains("\"bob\""));
}

#[test]
fn nothing_secret_is_in_a_debug_form() {
    let hash = hash_password(&secret("x")).unwrap();
    let user = user("alice", &hash);
    let listed = format!("{user:?}");
    let users = IdentitySource::Static(StaticUsers::new("people", ISSUER, vec![user]).unwrap());
    assert_eq!((users.id(), users.label()), ("people", "User name and password"));
    for text in [listed, format!("{users:?}")] {
        assert!(!text.contains("argon2id"), "{text}");
    }
}
