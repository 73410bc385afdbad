//! One suite for every store.

mod documents;
mod keys;
mod pushed;
mod registration;
mod single;

use std::{
    sync::{Arc, Barrier},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use audit::AuditUnavailable;
use oauth_server::{
    Digest,
    identity::Identity,
    store::{
        Client, ClientAuthentication, ClientKeys, ClientOrigin, ClientSettings, Code, CodeRequest,
        DeviceCode, DeviceState, Grant, GrantKind, GrantType, Interaction, MemoryStore, PreviousSecret,
        Purpose, RefreshToken, SecretMethod, SecretRecord, Stage, Store, StoreError, UpstreamCheck,
        UpstreamToken, UsedAssertion,
    },
};
use pg_fixture::PgCluster;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement, TransactionTrait as _};
use sea_orm_migration::MigratorTrait as _;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{Migrator, connect, database, sqlite};

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

fn client(id: &str) -> Client {
    Client {
        id: id.into(),
        name: Some("Claude é".into()),
        authentication: ClientAuthentication::Secret {
            method: SecretMethod::Post,
            digest: digest("secret"),
            previous: Some(PreviousSecret { digest: digest("old"), ends_at: now() + MINUTE }),
        },
        redirect_uris: vec!["https://claude.ai/a".into(), "cursor://b".into()],
        grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
        origin: ClientOrigin::Operator,
        settings: ClientSettings {
            tenant: Some("acme".into()),
            hints: json!({ "team": ["é"] }).as_object().unwrap().clone(),
            resources: vec!["https://r".into()],
            scopes: vec!["a".into()],
            serves: vec!["https://s".into()],
            refresh_replay: Some(oauth_server::ReplayWindow::MAX),
            require_pushed_authorization_requests: true,
            dpop_bound_access_tokens: true,
            application_type: Some("native".into()),
            registered_scope: Some("a b".into()),
            token_endpoint_auth_signing_alg: Some("ES256".into()),
        },
        registered_at: now(),
        first_used_at: None,
        registration_token: Some(digest("registration")),
    }
}

fn interaction(id: &str) -> Interaction {
    Interaction {
        id: id.into(),
        stage: Stage::Consent,
        cookie: digest("consent"),
        purpose: Purpose::Code(CodeRequest {
            client_id: "c".into(),
            redirect_uri: "https://claude.ai/a".into(),
            redirect_uri_given: true,
            state: Some("state".into()),
            resource: "https://r".into(),
            scope: "a b".into(),
            code_challenge: "challenge".into(),
            nonce: Some("nonce".into()),
            client_fingerprint: Some("fingerprint".into()),
            dpop_jkt: None,
        }),
        created_at: now(),
        expires_at: now() + 10 * MINUTE,
    }
}

fn grant(id: &str) -> Grant {
    Grant {
        id: id.into(),
        client_id: "c".into(),
        identity: Identity {
            issuer: "https://idp".into(),
            subject: "auth0|x/é".into(),
            tenant: Some("acme".into()),
            display_name: None,
            email: None,
            hints: json!({ "groups": ["a", "b"] }).as_object().unwrap().clone(),
        },
        identity_source: "idp".into(),
        resource: "https://r".into(),
        scope: "a b".into(),
        authenticated_at: now(),
        expires_at: now() + 100 * MINUTE,
        revoked_at: None,
        kind: GrantKind::Code,
        last_used_at: None,
        dpop_jkt: Some("thumbprint".into()),
        device: Some("Firefox on Linux".into()),
        upstream_session: Some("session".into()),
        client_fingerprint: Some("fingerprint".into()),
    }
}

fn code(text: &str, grant_id: &str) -> Code {
    Code {
        digest: digest(text),
        grant_id: grant_id.into(),
        redirect_uri: Some("https://claude.ai/a".into()),
        code_challenge: "challenge".into(),
        dpop_jkt: Some("thumbprint of the code".into()),
        nonce: Some("nonce".into()),
        expires_at: now() + MINUTE,
        used_at: None,
    }
}

fn refresh_token(text: &str, grant_id: &str) -> RefreshToken {
    RefreshToken {
        digest: digest(text),
        grant_id: grant_id.into(),
        expires_at: now() + 50 * MINUTE,
        used_at: None,
    }
}

/// A client, a completed interaction and its code, all named after `name`.
async fn issued(store: &dyn Store, name: &str) {
    store.insert_interaction(&interaction(name), 100).await.unwrap();
    let approved =
        store.approve_interaction(name, &digest("consent"), &digest("sign-in"), now(), &yes).await.unwrap();
    assert!(approved);
    let (grant, code) = (grant(name), code(name, name));
    assert!(store.complete_interaction(name, &digest("sign-in"), &grant, &code, now(), &yes).await.unwrap());
}

async fn suite(store: &dyn Store) {
    clients(store).await;
    full_of_interactions(store).await;
    interactions(store).await;
    codes(store).await;
    refresh_tokens(store).await;
    revocations(store).await;
    single::suite(store).await;
    unconfirmed(store).await;
    keys::rows(store).await;
    keys::rings(store).await;
    devices(store).await;
    upstream(store).await;
    one_time(store).await;
    secrets(store).await;
    documents::documents(store).await;
    registration::suite(store).await;
    pushed::suite(store).await;
    pruning(store).await;
}

async fn clients(store: &dyn Store) {
    assert_eq!(store.client("c").await.unwrap(), None);
    let insert = async |client: &Client, replaceable_before| {
        store.insert_client(client, 2, replaceable_before, &yes).await.unwrap()
    };
    assert!(insert(&client("c"), now()).await);
    let public = Client { authentication: ClientAuthentication::None, name: None, ..client("p") };
    assert!(insert(&public, now()).await);
    assert_eq!(store.client("c").await.unwrap(), Some(client("c")));
    assert_eq!(store.client("p").await.unwrap(), Some(public));
    for keys in [ClientKeys::Inline(r#"{"keys":[]}"#.into()), ClientKeys::Uri("https://c/jwks".into())] {
        let signing = Client { authentication: ClientAuthentication::PrivateKeyJwt(keys), ..client("s") };
        assert!(store.insert_client(&signing, 3, now(), &yes).await.unwrap());
        assert_eq!(store.client("s").await.unwrap(), Some(signing));
        assert_eq!(store.prune_clients(now() + MINUTE, 9).await.unwrap(), 3, "with c and p");
        assert!(insert(&client("c"), now()).await && insert(&client("p"), now()).await);
    }
    assert!(!insert(&client("d"), now()).await, "nobody had time to sign in with the others");
    assert_eq!(store.client("d").await.unwrap(), None);

    // Once somebody has signed in with it, a client stays and is not counted.
    issued(store, "used").await;
    let later = Client { registered_at: now() + MINUTE, ..client("e") };
    assert!(insert(&later, now()).await, "only p is unused");
    assert!(!insert(&client("f"), now()).await);
    let latest = Client { registered_at: now() + 2 * MINUTE, ..client("g") };
    assert!(insert(&latest, now() + MINUTE).await, "p gives way, e does not");
    let kept = async |id| store.client(id).await.unwrap().is_some();
    assert!(kept("c").await && kept("e").await && kept("g").await && !kept("p").await);
    assert!(insert(&client("p"), now() + 2 * MINUTE).await, "e gives way");
    assert!(!insert(&client("h"), now()).await);
    assert!(!store.insert_client(&client("h"), 1, now() + MINUTE, &yes).await.unwrap(), "two would have to");
    assert!(kept("p").await && kept("g").await);
}

/// What strangers begin is bounded: the oldest gives way.
async fn full_of_interactions(store: &dyn Store) {
    for minute in 0..4 {
        let expires_at = now() + (10 + minute) * MINUTE;
        let one = Interaction { expires_at, ..interaction(&format!("full{minute}")) };
        store.insert_interaction(&one, 2).await.unwrap();
    }
    for (id, kept) in [("full0", false), ("full1", false), ("full2", true), ("full3", true)] {
        assert_eq!(store.interaction(id).await.unwrap().is_some(), kept, "{id}");
        store.cancel_interaction(id, &digest("consent"), &yes).await.unwrap();
    }
}

async fn interactions(store: &dyn Store) {
    let (consent, sign_in, wrong) = (digest("consent"), digest("sign-in"), digest("wrong"));
    store.insert_interaction(&interaction("i"), 100).await.unwrap();
    assert_eq!(store.interaction("i").await.unwrap(), Some(interaction("i")));
    assert_eq!(store.interaction("other").await.unwrap(), None);
    let approve =
        async |cookie, at| store.approve_interaction("i", cookie, &sign_in, at, &yes).await.unwrap();
    let complete = async |cookie, at| {
        store.complete_interaction("i", cookie, &grant("gi"), &code("ci", "gi"), at, &yes).await.unwrap()
    };
    let late = now() + 10 * MINUTE;
    assert!(!complete(&consent, now()).await, "before consent");
    assert!(!approve(&wrong, now()).await, "another browser");
    assert!(!approve(&consent, late).await, "expired");
    assert!(approve(&consent, now()).await);
    assert!(!approve(&consent, now()).await, "twice");
    let expected = Interaction { stage: Stage::SignIn, cookie: sign_in, ..interaction("i") };
    assert_eq!(store.interaction("i").await.unwrap(), Some(expected));
    assert!(!complete(&consent, now()).await, "the cookie from before consent");
    assert!(!complete(&sign_in, late).await, "expired");
    assert_eq!(store.code(&digest("ci")).await.unwrap(), None);
    assert!(complete(&sign_in, now()).await);
    assert!(!complete(&sign_in, now()).await, "twice");
    assert_eq!(store.interaction("i").await.unwrap(), None);
    assert_eq!(store.client("c").await.unwrap().unwrap().first_used_at, Some(now()));

    store.insert_interaction(&interaction("j"), 100).await.unwrap();
    assert!(!store.cancel_interaction("j", &wrong, &yes).await.unwrap());
    assert!(store.cancel_interaction("j", &consent, &yes).await.unwrap());
    assert!(!store.cancel_interaction("j", &consent, &yes).await.unwrap());
}

async fn codes(store: &dyn Store) {
    issued(store, "k").await;
    let (digest, token) = (digest("k"), refresh_token("rk", "k"));
    assert_eq!(store.code(&digest).await.unwrap(), Some((code("k", "k"), grant("k"))), "never used");
    assert!(!store.redeem_code(&digest, Some(&token), None, now() + MINUTE, &yes).await.unwrap(), "expired");
    assert!(store.redeem_code(&digest, Some(&token), None, now(), &yes).await.unwrap());
    assert!(!store.redeem_code(&digest, Some(&token), None, now(), &yes).await.unwrap(), "twice");
    let (used, _) = store.code(&digest).await.unwrap().unwrap();
    assert_eq!(used.used_at, Some(now()));
    let grant = Grant { last_used_at: Some(now()), ..grant("k") };
    assert_eq!(store.refresh_token(&token.digest).await.unwrap(), Some((token, grant.clone())));
    assert_eq!(store.grant("k").await.unwrap(), Some(grant));
    assert_eq!(store.grant("unknown").await.unwrap(), None);
}

async fn refresh_tokens(store: &dyn Store) {
    issued(store, "l").await;
    let (first, second) = (refresh_token("l1", "l"), refresh_token("l2", "l"));
    assert!(store.redeem_code(&digest("l"), Some(&first), None, now(), &yes).await.unwrap());
    let rotate = async |from: &RefreshToken, to: &RefreshToken, at| {
        store.rotate_refresh_token(&from.digest, to, at, &yes).await.unwrap()
    };
    assert!(!rotate(&first, &second, now() + 50 * MINUTE).await, "expired");
    assert!(!rotate(&second, &first, now()).await, "unknown");
    assert!(!rotate(&first, &refresh_token("l3", "k"), now()).await, "into another family");
    let later = now() + 20 * MINUTE;
    assert!(rotate(&first, &second, later).await);
    assert!(!rotate(&first, &refresh_token("l3", "l"), later).await, "twice");
    let (used, _) = store.refresh_token(&first.digest).await.unwrap().unwrap();
    let forgotten = later + 10 * MINUTE;
    assert_eq!(used, RefreshToken { used_at: Some(later), expires_at: forgotten, ..first });
    let grant = Grant { last_used_at: Some(later), ..grant("l") };
    assert_eq!(store.refresh_token(&second.digest).await.unwrap().unwrap(), (second, grant));
    assert_eq!(store.refresh_token(&digest("l3")).await.unwrap(), None);
}

async fn revocations(store: &dyn Store) {
    issued(store, "m").await;
    issued(store, "n").await;
    let token = refresh_token("m1", "m");
    assert!(store.redeem_code(&digest("m"), Some(&token), None, now(), &yes).await.unwrap());
    assert!(store.revoke_grant("m", now()).await.unwrap());
    assert!(!store.revoke_grant("m", now() + MINUTE).await.unwrap(), "twice");
    assert!(!store.revoke_grant("unknown", now()).await.unwrap());
    assert!(store.revoke_grant("n", now()).await.unwrap());
    let rotated = store.rotate_refresh_token(&token.digest, &refresh_token("m2", "m"), now(), &yes).await;
    assert!(!rotated.unwrap(), "of a revoked grant");
    assert!(!store.redeem_code(&digest("n"), None, None, now(), &yes).await.unwrap(), "of a revoked grant");
    let mut revoked = store.revoked_since(now()).await.unwrap();
    revoked.sort();
    assert_eq!(revoked, ["m", "n"]);
    // Earlier than every other grant of the suite.
    let old = |id: &str| Grant { authenticated_at: now() - MINUTE, ..grant(id) };
    for id in ["old1", "old2", "old3"] {
        assert!(store.insert_grant(&old(id), None, now(), &yes).await.unwrap());
    }
    assert!(store.revoke_grant("old1", now() - MINUTE).await.unwrap());
    assert_eq!(store.revoke_grants(now() - MINUTE, now() - MINUTE, 100).await.unwrap(), 0, "none is older");
    assert_eq!(store.revoke_grants(now(), now() - MINUTE, 1).await.unwrap(), 1, "a batch of one");
    assert_eq!(store.revoke_grants(now(), now() - MINUTE, 100).await.unwrap(), 1);
    assert_eq!(store.revoke_grants(now(), now() - MINUTE, 100).await.unwrap(), 0, "all are revoked");
    assert_eq!(store.revoked_since(now() - MINUTE).await.unwrap().len(), 5);
    let millisecond = Duration::from_millis(1);
    assert!(store.revoked_since(now() + millisecond).await.unwrap().is_empty());
}

/// What cannot be recorded has not happened.
async fn unconfirmed(store: &dyn Store) {
    fn refused(result: &Result<bool, StoreError>) -> bool {
        matches!(result, Err(StoreError::NotRecorded(_)))
    }
    assert!(refused(&store.insert_client(&client("x"), 100, UNIX_EPOCH, &no).await));
    assert_eq!(store.client("x").await.unwrap(), None);
    store.insert_interaction(&interaction("x"), 100).await.unwrap();
    let (consent, sign_in) = (digest("consent"), digest("sign-in"));
    assert!(refused(&store.approve_interaction("x", &consent, &sign_in, now(), &no).await));
    assert!(refused(&store.cancel_interaction("x", &consent, &no).await));
    assert_eq!(store.interaction("x").await.unwrap(), Some(interaction("x")));
    assert!(store.approve_interaction("x", &consent, &sign_in, now(), &yes).await.unwrap());
    let (grant, code) = (grant("x"), code("x", "x"));
    assert!(refused(&store.complete_interaction("x", &sign_in, &grant, &code, now(), &no).await));
    assert_eq!(store.code(&code.digest).await.unwrap(), None);
    assert!(store.complete_interaction("x", &sign_in, &grant, &code, now(), &yes).await.unwrap());
    let token = refresh_token("x1", "x");
    assert!(refused(&store.redeem_code(&code.digest, Some(&token), None, now(), &no).await));
    assert_eq!(store.refresh_token(&token.digest).await.unwrap(), None);
    assert!(store.redeem_code(&code.digest, Some(&token), None, now(), &yes).await.unwrap());
    let successor = refresh_token("x2", "x");
    assert!(refused(&store.rotate_refresh_token(&token.digest, &successor, now(), &no).await));
    assert!(store.rotate_refresh_token(&token.digest, &successor, now(), &yes).await.unwrap());
}

fn device(name: &str) -> DeviceCode {
    DeviceCode {
        digest: digest(name),
        user_code: digest(&format!("user {name}")),
        client_id: "c".into(),
        resource: "https://r".into(),
        scope: "a b".into(),
        requester: Some("192.0.2.1".into()),
        state: DeviceState::Waiting,
        grant_id: None,
        interval: Duration::from_secs(5),
        polled_at: None,
        expires_at: now() + 10 * MINUTE,
    }
}

/// An interaction in the sign-in stage.
async fn signing_in(store: &dyn Store, id: &str) {
    store.insert_interaction(&interaction(id), 100).await.unwrap();
    assert!(
        store.approve_interaction(id, &digest("consent"), &digest("sign-in"), now(), &yes).await.unwrap()
    );
}

async fn devices(store: &dyn Store) {
    let (late, consent, sign_in) = (now() + 10 * MINUTE, digest("consent"), digest("sign-in"));
    assert!(store.insert_device(&device("d"), 2, &yes).await.unwrap());
    let taken = DeviceCode { user_code: digest("user d"), ..device("taken") };
    assert!(!store.insert_device(&taken, 2, &yes).await.unwrap(), "the user code is taken");
    assert!(store.insert_device(&device("e"), 2, &yes).await.unwrap());
    assert!(!store.insert_device(&device("f"), 2, &yes).await.unwrap(), "full");
    assert_eq!(store.device_by_user_code(&digest("user d")).await.unwrap(), Some(device("d")));
    assert_eq!(store.device(&digest("d")).await.unwrap(), Some((device("d"), None)));

    let poll =
        async |seen, at| store.note_poll(&digest("d"), seen, at, Duration::from_secs(10)).await.unwrap();
    assert!(poll(None, now()).await);
    assert!(!poll(None, now()).await, "somebody else asked meanwhile");
    assert!(poll(Some(now()), now() + MINUTE).await);
    let (found, _) = store.device(&digest("d")).await.unwrap().unwrap();
    assert_eq!((found.polled_at, found.interval.as_secs()), (Some(now() + MINUTE), 10));

    signing_in(store, "device").await;
    let approve = async |cookie, name, at| {
        let interaction = ("device", cookie);
        store.approve_device(interaction, &digest(name), &grant("gd"), at, &yes).await.unwrap()
    };
    assert!(!approve(&consent, "d", now()).await, "another browser");
    assert!(!approve(&sign_in, "unknown", now()).await);
    assert!(!approve(&sign_in, "d", late).await, "expired");
    assert!(!store.redeem_device(&digest("d"), None, None, now(), &yes).await.unwrap(), "before approval");
    assert!(approve(&sign_in, "d", now()).await);
    assert!(!approve(&sign_in, "d", now()).await, "twice");
    let (found, approved) = store.device(&digest("d")).await.unwrap().unwrap();
    assert_eq!((found.state, approved), (DeviceState::Approved, Some(grant("gd"))));

    let refresh = refresh_token("rd", "gd");
    let exchange =
        async |at| store.redeem_device(&digest("d"), Some(&refresh), Some("key"), at, &yes).await.unwrap();
    assert!(!exchange(late).await, "expired");
    let results = futures_util::future::join_all((0..10).map(|_| exchange(now()))).await;
    assert_eq!(results.into_iter().filter(|first| *first).count(), 1, "at once");
    let (_, bound) = store.refresh_token(&refresh.digest).await.unwrap().unwrap();
    assert_eq!(bound.dpop_jkt.as_deref(), Some("key"));

    signing_in(store, "no").await;
    let deny = async |name| store.deny_device(("no", &sign_in), &digest(name), &yes).await.unwrap();
    assert!(!deny("d").await, "decided already");
    assert!(deny("e").await);
    assert_eq!(store.device(&digest("e")).await.unwrap().unwrap().0.state, DeviceState::Denied);
    assert_eq!(store.prune_devices(now(), 100).await.unwrap(), 0);
    assert_eq!(store.prune_devices(late, 1).await.unwrap(), 1, "a batch of one");
    assert_eq!(store.prune_devices(late, 100).await.unwrap(), 1);
}

/// A logout token that was not used before.
pub(crate) fn logout_token(number: u32) -> UsedAssertion {
    UsedAssertion { key: digest(&format!("logout {number}")), expires_at: now() + 10 * MINUTE }
}

async fn upstream(store: &dyn Store) {
    issued(store, "u1").await;
    issued(store, "u2").await;
    let token = UpstreamToken {
        grant_id: "u1".into(),
        sealed: b"sealed".to_vec(),
        checked_at: now(),
        asked_at: None,
        expires_at: now() + 100 * MINUTE,
    };
    store.insert_upstream_token(&token).await.unwrap();
    let (earlier, later) = (now() - MINUTE, now() + MINUTE);
    let check = async |id, due, at| store.begin_upstream_check(id, due, now(), at).await.unwrap();
    assert_eq!(check("unknown", now(), now()).await, UpstreamCheck::Unknown);
    assert_eq!(check("u1", earlier, now()).await, UpstreamCheck::Recent);
    let ask = UpstreamCheck::Ask(b"sealed".to_vec());
    let begun = futures_util::future::join_all((0..5).map(|_| check("u1", now(), later))).await;
    assert_eq!(begun.iter().filter(|found| **found == ask).count(), 1, "at once");
    assert_eq!(begun.iter().filter(|found| **found == UpstreamCheck::Asking).count(), 4, "at once");
    assert_eq!(check("u1", later, later).await, UpstreamCheck::Asking, "that somebody asks is no answer");
    let lost = store.begin_upstream_check("u1", now(), later, later + MINUTE).await.unwrap();
    assert_eq!(lost, ask, "whoever asked is gone");
    assert_eq!(check("u1", now(), later + MINUTE).await, UpstreamCheck::Asking);
    store.abandon_upstream_check("u1").await.unwrap();
    assert_eq!(check("u1", now(), later).await, ask);
    let hints = json!({ "groups": ["c"] }).as_object().unwrap().clone();
    let identity = Identity { hints, tenant: None, ..grant("u1").identity };
    store.finish_upstream_check("u1", b"next", Some(&identity)).await.unwrap();
    assert_eq!(check("u1", now(), later).await, UpstreamCheck::Recent);
    store.finish_upstream_check("u1", b"last", None).await.unwrap();
    assert_eq!(check("u1", later, later).await, UpstreamCheck::Ask(b"last".to_vec()));
    assert_eq!(store.code(&digest("u1")).await.unwrap().unwrap().1.identity, identity);

    let mut numbers = 0..;
    let mut revoke = async |source, subject, session| {
        let once = logout_token(numbers.next().unwrap());
        let person = (source, subject);
        let mut revoked = store.revoke_upstream(&once, person, session, now()).await.unwrap().unwrap();
        let again = store.revoke_upstream(&once, person, session, now()).await.unwrap();
        assert_eq!(again, None, "the same logout token");
        revoked.retain(|id| ["u1", "u2"].contains(&id.as_str()));
        revoked.sort();
        revoked
    };
    let subject = "auth0|x/é";
    assert!(revoke("other", subject, None).await.is_empty());
    assert!(revoke("idp", "somebody else", None).await.is_empty());
    assert!(revoke("idp", subject, Some("another")).await.is_empty());
    assert_eq!(revoke("idp", subject, Some("session")).await, ["u1", "u2"]);
    assert!(revoke("idp", subject, None).await.is_empty(), "they are revoked already");
    assert_eq!(store.prune_upstream_tokens(now(), 100).await.unwrap(), 0);
    assert_eq!(store.prune_upstream_tokens(now() + 100 * MINUTE, 100).await.unwrap(), 1);
}

async fn one_time(store: &dyn Store) {
    let (one, other) = (digest("jti one"), digest("jti other"));
    let over = now() + MINUTE;
    assert!(store.use_once(&one, over, now()).await.unwrap());
    assert!(!store.use_once(&one, over, now()).await.unwrap(), "twice");
    assert!(store.use_once(&other, over, now()).await.unwrap());
    let millisecond = Duration::from_millis(1);
    assert!(!store.use_once(&one, over, over - millisecond).await.unwrap(), "just before the end");
    assert!(store.use_once(&one, over + MINUTE, over).await.unwrap(), "it was over");
    let uses = (0..20).map(|_| store.use_once(&other, over + MINUTE, over));
    let uses = futures_util::future::join_all(uses).await;
    assert_eq!(uses.into_iter().filter(|first| *first.as_ref().unwrap()).count(), 1, "at once");
    assert_eq!(store.prune_one_time(over, 100).await.unwrap(), 0);
    assert_eq!(store.prune_one_time(over + MINUTE, 1).await.unwrap(), 1, "a batch of one");
    assert_eq!(store.prune_one_time(over + MINUTE, 100).await.unwrap(), 1);
}

async fn secrets(store: &dyn Store) {
    let record = |bytes: &[u8]| SecretRecord {
        name: "test".into(),
        wrapped: SecretSlice::from(bytes.to_vec()),
        created_at: now(),
    };
    let records = [record(b"one"), record(b"two")];
    let kept = futures_util::future::join_all(records.iter().map(|made| store.secret_or_insert(made))).await;
    let kept: std::collections::BTreeSet<Vec<u8>> =
        kept.into_iter().map(|kept| kept.unwrap().wrapped.expose_secret().to_vec()).collect();
    assert_eq!(kept.len(), 1, "all get the same");
    let kept = SecretSlice::from(kept.into_iter().next().unwrap());
    let sealed = SecretSlice::from(b"sealed".to_vec());
    assert!(store.replace_secret("test", &kept, &sealed).await.unwrap());
    assert!(!store.replace_secret("test", &kept, &sealed).await.unwrap(), "it is not as it was read");
    assert!(!store.replace_secret("nothing", &kept, &sealed).await.unwrap());
    assert_eq!(store.secret_or_insert(&record(b"x")).await.unwrap().wrapped.expose_secret(), b"sealed");
}

async fn prune(store: &dyn Store, now: SystemTime, unused_before: SystemTime, batch: u64) -> u64 {
    store.prune_interactions(now, batch).await.unwrap()
        + store.prune_grants(now, batch).await.unwrap()
        + store.prune_clients(unused_before, batch).await.unwrap()
}

async fn pruning(store: &dyn Store) {
    const DAY: Duration = Duration::from_hours(24);
    store.insert_interaction(&interaction("o"), 100).await.unwrap();
    assert_eq!(prune(store, now(), now(), 100).await, 0, "nothing is over yet");
    let expired = now() + 10 * MINUTE;
    assert!(prune(store, expired, now(), 1).await <= 5, "a batch of one of each kind");
    while prune(store, expired, now(), 1).await > 0 {}
    assert_eq!(store.interaction("o").await.unwrap(), None);
    assert!(store.code(&digest("k")).await.unwrap().is_some(), "a used code is remembered for a day");
    assert!(store.refresh_token(&digest("l1")).await.unwrap().is_some(), "a used token for ten minutes");
    while prune(store, now() + 30 * MINUTE, now(), 1).await > 0 {}
    assert_eq!(store.refresh_token(&digest("l1")).await.unwrap(), None);
    assert!(store.refresh_token(&digest("l2")).await.unwrap().is_some(), "its successor is good");
    while prune(store, now() + 2 * DAY, now() + MINUTE, 2).await > 0 {}
    assert_eq!(store.code(&digest("k")).await.unwrap(), None);
    assert_eq!(store.refresh_token(&digest("l2")).await.unwrap(), None);
    assert!(store.revoked_since(UNIX_EPOCH).await.unwrap().is_empty());
    assert!(store.client("c").await.unwrap().is_some(), "somebody signed in with it");
    assert_eq!(store.client("p").await.unwrap(), None, "nobody ever did");
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
}

/// Fifty redemptions at once, of one code and then of one refresh token, over two pools as two processes have them.
async fn races(one: Arc<dyn Store>, two: Arc<dyn Store>) {
    assert!(one.insert_client(&client("c"), 2, UNIX_EPOCH, &yes).await.unwrap());
    issued(one.as_ref(), "race").await;
    let of = |index: usize| Arc::clone(if index.is_multiple_of(2) { &one } else { &two });
    let redeem = async |index: usize| {
        let (store, token) = (of(index), refresh_token(&format!("race{index}"), "race"));
        tokio::spawn(async move {
            store.redeem_code(&digest("race"), Some(&token), None, now(), &yes).await.unwrap()
        })
        .await
        .unwrap()
    };
    let redeemed = futures_util::future::join_all((0..50).map(redeem)).await;
    let winners: Vec<usize> =
        redeemed.iter().enumerate().filter_map(|(index, won)| won.then_some(index)).collect();
    let [winner] = winners.as_slice() else { panic!("{} codes were redeemed", winners.len()) };
    for index in 0..50 {
        let kept = one.refresh_token(&digest(&format!("race{index}"))).await.unwrap();
        assert_eq!(kept.is_some(), index == *winner, "{index}");
    }
    let current = digest(&format!("race{winner}"));
    let rotate = async |index: usize| {
        let (store, token) = (of(index), refresh_token(&format!("next{index}"), "race"));
        tokio::spawn(async move { store.rotate_refresh_token(&current, &token, now(), &yes).await.unwrap() })
            .await
            .unwrap()
    };
    let rotated = futures_util::future::join_all((0..50).map(rotate)).await;
    assert_eq!(rotated.iter().filter(|won| **won).count(), 1);
}

/// PostgreSQL, READ COMMITTED: a registration that is about to commit holds the last place although nobody sees it yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_registrations_do_not_get_the_last_place() {
    let cluster = PgCluster::start();
    let url = cluster.create_database();
    let store: Arc<dyn Store> = Arc::new(database(&url).await);
    let db = connect(&url).await;
    let (reached, released) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let first = tokio::spawn({
        let (store, reached, released) = (Arc::clone(&store), Arc::clone(&reached), Arc::clone(&released));
        let confirm = move || {
            reached.wait();
            released.wait();
            Ok(())
        };
        async move { store.insert_client(&client("first"), 1, UNIX_EPOCH, &confirm).await.unwrap() }
    });
    tokio::task::spawn_blocking(move || reached.wait()).await.unwrap();
    let second =
        tokio::spawn(
            async move { store.insert_client(&client("second"), 1, UNIX_EPOCH, &yes).await.unwrap() },
        );
    until_waiting(&db, &second).await;
    tokio::task::spawn_blocking(move || released.wait()).await.unwrap();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (true, false));
}

/// Waits until a statement waits for a lock, or this task has not waited.
async fn until_waiting<T>(db: &DatabaseConnection, task: &JoinHandle<T>) {
    let waiting =
        Statement::from_string(DbBackend::Postgres, "SELECT 1 AS one FROM pg_locks WHERE NOT granted");
    while db.query_one_raw(waiting.clone()).await.unwrap().is_none() && !task.is_finished() {
        tokio::task::yield_now().await;
    }
}

/// PostgreSQL, READ COMMITTED: whoever deletes waits for whoever signs in, and must then look again.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_first_used_while_it_is_forgotten_is_not_forgotten() {
    let cluster = PgCluster::start();
    let url = cluster.create_database();
    let store: Arc<dyn Store> = Arc::new(database(&url).await);
    assert!(store.insert_client(&client("c"), 1, UNIX_EPOCH, &yes).await.unwrap());
    let db = connect(&url).await;
    let signing_in = db.begin().await.unwrap();
    signing_in.execute_unprepared("UPDATE oauth_clients SET first_used_at = 1").await.unwrap();
    let forgetting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { prune(store.as_ref(), now(), now() + MINUTE, 100).await }
    });
    until_waiting(&db, &forgetting).await;
    signing_in.commit().await.unwrap();
    assert_eq!(forgetting.await.unwrap(), 0);
    assert!(store.client("c").await.unwrap().is_some());
}

#[tokio::test]
async fn migrations_can_be_undone_and_done_again() {
    let cluster = PgCluster::start();
    let (_directory, sqlite) = sqlite();
    for url in [sqlite, cluster.create_database()] {
        let db = connect(&url).await;
        Migrator::fresh(&db).await.unwrap();
        Migrator::down(&db, None).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
    }
    let names: Vec<String> =
        Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    assert!(names.iter().all(|name| name.starts_with("oauth_")), "{names:?}");
}

#[tokio::test]
async fn memory_keeps_the_promises() {
    suite(&MemoryStore::default()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_promises() {
    let (_directory, url) = sqlite();
    suite(&database(&url).await).await;
}

#[tokio::test]
async fn postgresql_keeps_the_promises() {
    let cluster = PgCluster::start();
    suite(&database(&cluster.create_database()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_redemptions_one_succeeds_in_memory() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    races(Arc::clone(&store), store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_redemptions_one_succeeds_on_sqlite() {
    let (_directory, url) = sqlite();
    races(Arc::new(database(&url).await), Arc::new(database(&url).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_redemptions_one_succeeds_on_postgresql() {
    let cluster = PgCluster::start();
    let url = cluster.create_database();
    races(Arc::new(database(&url).await), Arc::new(database(&url).await)).await;
}
