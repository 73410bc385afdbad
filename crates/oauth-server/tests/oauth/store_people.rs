//! What every store promises about sessions, activity and the grants of a person.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use audit::AuditUnavailable;
use oauth_server::{
    Digest,
    identity::Identity,
    store::{
        Activity, ActivityKind, Code, Grant, GrantKind, Interaction, MemoryStore, NewSession, Page, Person,
        Position, Purpose, Session, Stage, Store, StoreError,
    },
};
use pg_fixture::PgCluster;
use secrecy::SecretString;
use serde_json::json;

use crate::store::logout_token;
use crate::support::{database, sqlite};

const MINUTE: Duration = Duration::from_mins(1);

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_800_000_000_123)
}

fn digest(text: &str) -> Digest {
    Digest::of(&SecretString::from(text))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a confirmation")]
fn yes() -> Result<(), AuditUnavailable> {
    Ok(())
}

fn no() -> Result<(), AuditUnavailable> {
    Err(AuditUnavailable)
}

fn not_recorded<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotRecorded(_)))
}

fn identity(subject: &str) -> Identity {
    Identity {
        issuer: "https://idp".into(),
        subject: subject.into(),
        tenant: Some("acme".into()),
        display_name: Some("Ada é".into()),
        email: Some("ada@acme.example".into()),
        hints: json!({ "groups": ["a", "b"] }).as_object().unwrap().clone(),
    }
}

fn interaction(id: &str) -> Interaction {
    Interaction {
        id: id.into(),
        stage: Stage::SignIn,
        cookie: digest("sign-in"),
        purpose: Purpose::Page(Page::Account),
        created_at: now(),
        expires_at: now() + 10 * MINUTE,
    }
}

fn session(cookie: &str) -> Session {
    Session {
        cookie: digest(cookie),
        identity: identity("ada"),
        identity_source: "idp".into(),
        upstream_session: Some("upstream".into()),
        created_at: now(),
        last_seen_at: now(),
        expires_at: now() + 60 * MINUTE,
    }
}

async fn suite(store: &dyn Store) {
    sessions(store).await;
    ended_upstream(store).await;
    full_of_sessions(store).await;
    activity(store).await;
    grants_of_people(store).await;
}

async fn sessions(store: &dyn Store) {
    store.insert_interaction(&interaction("s"), 100).await.unwrap();
    assert_eq!(store.interaction("s").await.unwrap(), Some(interaction("s")));
    let first = session("one");
    let started = NewSession { session: &first, replaces: None, capacity: 100 };
    let sign_in = digest("sign-in");
    let complete = async |cookie, at| store.complete_page("s", cookie, &started, at, &yes).await.unwrap();
    let wrong = digest("wrong");
    assert!(!complete(&wrong, now()).await, "another browser");
    assert!(!complete(&sign_in, now() + 10 * MINUTE).await, "expired");
    assert!(not_recorded(&store.complete_page("s", &sign_in, &started, now(), &no).await));
    assert_eq!(store.session(&first.cookie).await.unwrap(), None);
    assert!(complete(&sign_in, now()).await);
    assert!(!complete(&sign_in, now()).await, "twice");
    assert_eq!(store.session(&first.cookie).await.unwrap(), Some(first.clone()));

    let later = now() + 5 * MINUTE;
    store.touch_session(&first.cookie, later, later + 60 * MINUTE).await.unwrap();
    let touched = Session { last_seen_at: later, expires_at: later + 60 * MINUTE, ..first.clone() };
    assert_eq!(store.session(&first.cookie).await.unwrap(), Some(touched.clone()));
    let late = touched.expires_at;
    store.touch_session(&first.cookie, late, late + MINUTE).await.unwrap();
    assert_eq!(store.session(&first.cookie).await.unwrap(), Some(touched), "what is over stays over");

    store.insert_interaction(&interaction("t"), 100).await.unwrap();
    let second = session("two");
    let started = NewSession { session: &second, replaces: Some(&first.cookie), capacity: 100 };
    assert!(store.complete_page("t", &sign_in, &started, now(), &yes).await.unwrap());
    assert_eq!(store.session(&first.cookie).await.unwrap(), None, "replaced");
    assert!(not_recorded(&store.end_session(&second.cookie, &no).await));
    assert!(store.end_session(&second.cookie, &yes).await.unwrap());
    assert!(!store.end_session(&second.cookie, &yes).await.unwrap(), "twice");
}

/// What people begin is bounded, and what is over is deleted in batches.
/// The identity provider ends sign-ins: those of one session there, or all of a person.
async fn ended_upstream(store: &dyn Store) {
    for (id, subject, upstream) in [("v", "ada", "one"), ("w", "ada", "two"), ("x", "ben", "one")] {
        store.insert_interaction(&interaction(id), 100).await.unwrap();
        let upstream_session = Some(upstream.into());
        let begun = Session { upstream_session, identity: identity(subject), ..session(id) };
        let started = NewSession { session: &begun, replaces: None, capacity: 100 };
        assert!(store.complete_page(id, &digest("sign-in"), &started, now(), &yes).await.unwrap());
    }
    let left = async || {
        let mut left = Vec::new();
        for id in ["v", "w", "x"] {
            left.extend(store.session(&digest(id)).await.unwrap().map(|_| id));
        }
        left
    };
    let subject = identity("ada").subject;
    store.revoke_upstream(&logout_token(101), ("other", &subject), None, now()).await.unwrap();
    assert_eq!(left().await, ["v", "w", "x"]);
    store.revoke_upstream(&logout_token(102), ("idp", &subject), Some("one"), now()).await.unwrap();
    assert_eq!(left().await, ["w", "x"]);
    store.revoke_upstream(&logout_token(103), ("idp", &subject), None, now()).await.unwrap();
    assert_eq!(left().await, ["x"]);
    assert!(store.end_session(&digest("x"), &yes).await.unwrap());
}

async fn full_of_sessions(store: &dyn Store) {
    for minute in 0..4 {
        let id = format!("full{minute}");
        store.insert_interaction(&interaction(&id), 100).await.unwrap();
        let one = Session { expires_at: now() + (1 + minute) * MINUTE, ..session(&id) };
        let started = NewSession { session: &one, replaces: None, capacity: 3 };
        assert!(store.complete_page(&id, &digest("sign-in"), &started, now(), &yes).await.unwrap());
    }
    let kept = async |id| store.session(&digest(id)).await.unwrap().is_some();
    assert!(!kept("full0").await && kept("full1").await && kept("full2").await && kept("full3").await);
    assert_eq!(store.prune_sessions(now() + 3 * MINUTE, 1).await.unwrap(), 1);
    assert!(kept("full1").await != kept("full2").await, "a batch of one");
    assert_eq!(store.prune_sessions(now() + 3 * MINUTE, 100).await.unwrap(), 1);
    assert!(kept("full3").await);
}

async fn activity(store: &dyn Store) {
    let entry = |subject: &str, index: u32, kind| Activity {
        id: format!("{subject}{index}"),
        issuer: "https://idp".into(),
        subject: subject.into(),
        at: now() + index * MINUTE,
        kind,
        client: (index > 0).then(|| "Claude é".into()),
        device: Some("Firefox on Linux".into()),
        network: None,
    };
    let own: Vec<Activity> = (0..5).map(|index| entry("ada", index, ActivityKind::Connected)).collect();
    for one in &own {
        store.insert_activity(one, 3).await.unwrap();
    }
    let other = entry("bob", 0, ActivityKind::SignedIn);
    store.insert_activity(&other, 3).await.unwrap();
    let of = async |subject, limit| store.activity_of("https://idp", subject, limit).await.unwrap();
    let newest: Vec<Activity> = own.iter().rev().take(3).cloned().collect();
    assert_eq!(of("ada", 10).await, newest, "the oldest gave way");
    assert_eq!(of("ada", 1).await, newest[..1]);
    assert_eq!(of("bob", 10).await, [other]);
    assert!(of("carol", 10).await.is_empty());
    assert!(store.activity_of("https://other", "ada", 10).await.unwrap().is_empty(), "another issuer's");
    assert_eq!(store.prune_activity(now() + 3 * MINUTE, 1).await.unwrap(), 1, "a batch of one");
    assert_eq!(store.prune_activity(now() + 3 * MINUTE, 100).await.unwrap(), 1);
    assert!(of("bob", 10).await.is_empty());
    assert_eq!(of("ada", 10).await, newest[..2]);
}

fn grant(id: &str, subject: &str, minute: u32) -> Grant {
    Grant {
        id: id.into(),
        client_id: "c".into(),
        identity: identity(subject),
        identity_source: "idp".into(),
        resource: "https://r".into(),
        scope: "a b".into(),
        authenticated_at: now() + minute * MINUTE,
        expires_at: now() + 100 * MINUTE,
        revoked_at: None,
        kind: GrantKind::Code,
        last_used_at: None,
        dpop_jkt: None,
        device: Some("Firefox on Linux".into()),
        upstream_session: None,
        client_fingerprint: None,
    }
}

async fn keep(store: &dyn Store, grant: &Grant) {
    store.insert_interaction(&interaction(&grant.id), 100).await.unwrap();
    let code = Code {
        digest: digest(&grant.id),
        grant_id: grant.id.clone(),
        redirect_uri: None,
        code_challenge: "challenge".into(),
        dpop_jkt: None,
        nonce: None,
        expires_at: now() + MINUTE,
        used_at: None,
    };
    assert!(
        store.complete_interaction(&grant.id, &digest("sign-in"), grant, &code, now(), &yes).await.unwrap()
    );
}

async fn grants_of_people(store: &dyn Store) {
    // Two of the same moment, and one that is over.
    let grants = [
        grant("a", "ada", 0),
        grant("b", "ada", 1),
        grant("c", "ada", 1),
        grant("d", "ada", 2),
        grant("e", "bob", 3),
    ];
    for one in &grants {
        keep(store, one).await;
    }
    keep(store, &Grant { expires_at: now() + MINUTE, ..grant("f", "ada", 4) }).await;
    let (ada, bob) = (Person::from(&grants[0].identity), Person::from(&grants[4].identity));
    let later = now() + MINUTE;
    let list = async |person, after: Option<&Position>, limit| {
        let found = store.grants_of(person, after, limit, later).await.unwrap();
        found.into_iter().map(|grant| grant.id).collect::<Vec<_>>()
    };
    assert_eq!(list(ada, None, 10).await, ["d", "c", "b", "a"]);
    assert_eq!(list(ada, None, 2).await, ["d", "c"]);
    let position = Position { authenticated_at: now() + MINUTE, id: "c".into() };
    assert_eq!(list(ada, Some(&position), 2).await, ["b", "a"]);
    assert_eq!(list(bob, None, 10).await, ["e"]);
    assert!(list(Person { issuer: "https://other", subject: "ada" }, None, 10).await.is_empty());

    let revoke = async |person, id, at| {
        store.revoke_grant_of(person, id, at, &yes).await.unwrap().map(|grant| grant.id)
    };
    assert_eq!(revoke(bob, "a", later).await, None, "somebody else's");
    assert_eq!(revoke(ada, "f", later).await, None, "over");
    assert_eq!(revoke(ada, "unknown", later).await, None);
    assert!(not_recorded(&store.revoke_grant_of(ada, "a", later, &no).await));
    assert!(not_recorded(&store.revoke_grants_of(ada, later, &no).await));
    assert_eq!(revoke(ada, "a", later).await.as_deref(), Some("a"));
    assert_eq!(revoke(ada, "a", later + MINUTE).await, None, "twice");
    assert_eq!(list(ada, None, 10).await, ["d", "c", "b"]);
    let mut revoked = store.revoke_grants_of(ada, later + MINUTE, &yes).await.unwrap();
    revoked.sort();
    assert_eq!(revoked, ["b", "c", "d"]);
    assert!(store.revoke_grants_of(ada, later + 2 * MINUTE, &yes).await.unwrap().is_empty());
    assert_eq!(list(bob, None, 10).await, ["e"]);
    assert!(store.code(&digest("b")).await.unwrap().unwrap().1.revoked_at.is_some());
}

#[tokio::test]
async fn memory_keeps_the_promises_about_people() {
    suite(&MemoryStore::default()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_promises_about_people() {
    let (_directory, url) = sqlite();
    suite(&database(&url).await).await;
}

#[tokio::test]
async fn postgresql_keeps_the_promises_about_people() {
    let cluster = PgCluster::start();
    suite(&database(&cluster.create_database()).await).await;
}
