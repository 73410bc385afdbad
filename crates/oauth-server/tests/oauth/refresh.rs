//! Refreshing: rotation, the window for repetitions, and everything that it must not open.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use http::StatusCode;
use oauth_server::{
    OAuthConfig, ReplayWindow,
    store::{ClientStore as _, GrantStore as _, MemoryStore, SecretRecord, SecretStore as _, Store},
};
use pg_fixture::PgCluster;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{
    Answer, Browser, Harness, RESOURCE, authorize_params, authorize_url, claims, config, database,
    form_request, redeem_params, sqlite, static_users, with,
};

const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(30);

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn sid(tokens: &Value) -> String {
    text(&claims(text(&tokens["access_token"]))["sid"]).to_owned()
}

/// A server, a client and the tokens of a sign-in.
struct Family {
    harness: Harness,
    client: String,
    tokens: Value,
}

impl Family {
    async fn new() -> Self {
        Self::with(config()).await
    }

    async fn with(config: OAuthConfig) -> Self {
        let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
        let client = harness.client().await;
        let tokens = harness.tokens(&client).await;
        Self { harness, client, tokens }
    }

    fn first(&self) -> &str {
        text(&self.tokens["refresh_token"])
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.harness.refresh(&self.client, token).await
    }

    /// The refresh token that follows this one.
    async fn next(&self, token: &str) -> String {
        let answer = self.refresh(token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(sid(&answer.json()), sid(&self.tokens));
        text(&answer.json()["refresh_token"]).to_owned()
    }

    async fn assert_ended(&self, newest: &str) {
        assert!(self.harness.server.revocations().is_revoked(&sid(&self.tokens)));
        assert_eq!(self.refresh(newest).await.error(), "invalid_grant");
        let events = self.harness.events();
        let ended = events.iter().filter(|event| *event == "token_revoke success refresh_token_replayed");
        assert_eq!(ended.count(), 1, "{events:?}");
    }

    fn assert_alive(&self) {
        assert!(!self.harness.server.revocations().is_revoked(&sid(&self.tokens)));
    }
}

#[tokio::test]
async fn within_the_window_a_token_has_one_successor() {
    let family = Family::new().await;
    let first = family.first();
    let answer = family.refresh(first).await.json();
    let second = text(&answer["refresh_token"]).to_owned();
    assert_ne!(first, second);
    let mut seen = vec![text(&answer["access_token"]).to_owned()];
    for _ in 0..4 {
        family.harness.advance(WINDOW / 5);
        let again = family.refresh(first).await.json();
        assert_eq!(again["refresh_token"], second.as_str());
        let access = text(&again["access_token"]).to_owned();
        assert!(!seen.contains(&access), "an access token of its own");
        seen.push(access);
    }
    let third = family.next(&second).await;
    family.harness.advance(2 * WINDOW);
    family.next(&third).await;
    let events = family.harness.events();
    let count = |event: &str| events.iter().filter(|found| *found == event).count();
    assert_eq!(count("token_refresh success -"), 3);
    assert_eq!(count("token_refresh success refresh_token_repeated"), 4);
}

/// SEC-18: a refresh token used again after the window -> 400 `invalid_grant`, the family is revoked
/// SEC-18: repetitions that would keep the window open -> it ends 30 s after the first use
#[tokio::test]
async fn after_the_window_a_repetition_ends_the_family() {
    let family = Family::new().await;
    let second = family.next(family.first()).await;
    for _ in 0..3 {
        family.harness.advance(WINDOW / 3);
        assert_eq!(family.next(family.first()).await, second);
    }
    family.harness.advance(SECOND);
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    family.assert_ended(&second).await;
}

/// The newest token is the answer: a successor that was used too would end the family when the client presents it later.
#[tokio::test]
async fn within_the_window_a_client_that_fell_behind_gets_the_newest() {
    let family = Family::new().await;
    let second = family.next(family.first()).await;
    family.harness.advance(10 * SECOND);
    let third = family.next(&second).await;
    family.harness.advance(10 * SECOND);
    assert_eq!(family.next(family.first()).await, third);
    family.harness.advance(15 * SECOND);
    assert_eq!(family.next(&second).await, third, "in its own window");
    family.next(&third).await;
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    family.assert_ended(&third).await;
}

/// SEC-18: a token that lies nine refreshes back, all within the window -> 400 `invalid_grant`, the family is revoked
#[tokio::test]
async fn nobody_falls_behind_by_nine_tokens_by_accident() {
    let family = Family::new().await;
    let mut newest = family.next(family.first()).await;
    for _ in 0..7 {
        newest = family.next(&newest).await;
    }
    assert_eq!(family.next(family.first()).await, newest);
    newest = family.next(&newest).await;
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    family.assert_ended(&newest).await;
}

/// SEC-18: a used refresh token of another client, resource or with more scope within the window -> the error of a first use
#[tokio::test]
async fn a_repetition_is_bound_like_a_first_use() {
    let family = Family::new().await;
    let other = family.harness.client().await;
    let second = family.next(family.first()).await;
    let form = || {
        vec![
            ("grant_type", "refresh_token"),
            ("client_id", family.client.as_str()),
            ("refresh_token", family.first()),
        ]
    };
    let cases = [
        ("invalid_grant", with(form(), "client_id", Some(other.as_str()))),
        ("invalid_target", with(form(), "resource", Some("https://other.example/mcp"))),
        ("invalid_scope", with(form(), "scope", Some("platform platform:read"))),
    ];
    for (error, form) in cases {
        assert_eq!(family.harness.post_form("/token", &form).await.error(), error, "{form:?}");
    }
    family.assert_alive();
    let narrow = with(form(), "scope", Some("platform"));
    let again = family.harness.post_form("/token", &narrow).await.json();
    assert_eq!((&again["scope"], &again["refresh_token"]), (&json!("platform"), &json!(second)));
}

/// SEC-18: the replay of a token whose row is long forgotten -> 400 `invalid_grant`, the family is revoked
/// SEC-18: a token made up from a known grant -> 400 `invalid_grant`, the family lives on
#[tokio::test]
async fn a_forgotten_token_is_still_known_as_used() {
    let family = Family::new().await;
    let second = family.next(family.first()).await;
    family.harness.advance(Duration::from_mins(11));
    let store = &family.harness.store;
    while store.prune_grants(family.harness.now(), 100).await.unwrap() > 0 {}
    let digest = oauth_server::Digest::of(&family.first().into());
    assert_eq!(store.refresh_token(&digest).await.unwrap(), None);

    let (grant, rest) = family.first().split_once('.').unwrap();
    let invented = format!("{grant}.{}", rest.chars().rev().collect::<String>());
    assert_eq!(family.refresh(&invented).await.error(), "invalid_grant");
    let other = family.harness.client().await;
    assert_eq!(family.harness.refresh(&other, family.first()).await.error(), "invalid_grant");
    family.assert_alive();

    family.harness.advance(Duration::from_hours(3 * 24));
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    family.assert_ended(&second).await;
}

/// SEC-65: a token that was issued after the copy of the database that is in use -> 400 `invalid_grant`, the family ends, an alarm
#[tokio::test]
async fn a_token_that_the_database_does_not_know_yet_is_told() {
    let family = Family::new().await;
    let store = &family.harness.store;
    let (former, _) =
        store.refresh_token(&oauth_server::Digest::of(&family.first().into())).await.unwrap().unwrap();
    // The same server secret, on a database from before the refresh.
    let restored: Arc<MemoryStore> = Arc::default();
    let mut secret = store.secret_or_insert(&unused_secret("server")).await.unwrap();
    secret = restored.secret_or_insert(&secret).await.unwrap();
    assert_eq!(secret.name, "server");
    family.harness.advance(Duration::from_mins(2));
    let newer = family.next(family.first()).await;
    let mut grant = store.grant(&former.grant_id).await.unwrap().unwrap();
    grant.last_used_at = Some(grant.authenticated_at);
    let now = family.harness.now();
    let client = store.client(&family.client).await.unwrap().unwrap();
    assert!(restored.insert_client(&client, 100, now, &|| Ok(())).await.unwrap());
    assert!(restored.insert_grant(&grant, None, now, &|| Ok(())).await.unwrap());
    let harness = Harness::on(restored).await;
    harness.advance(Duration::from_mins(2));
    assert_eq!(harness.refresh(&family.client, &newer).await.error(), "invalid_grant");
    let alarm = [
        "token_refresh denied refresh_token_newer_than_database",
        "token_revoke success refresh_token_replayed",
    ];
    assert_eq!(harness.events(), alarm);
}

fn unused_secret(name: &str) -> SecretRecord {
    SecretRecord { name: name.into(), wrapped: Vec::new().into(), created_at: std::time::UNIX_EPOCH }
}

/// SEC-18: a token that lay idle for a month -> 400 `invalid_grant`, and no alarm about a replay
#[tokio::test]
async fn who_comes_back_after_a_month_is_no_thief() {
    let family = Family::new().await;
    family.harness.advance(Duration::from_hours(30 * 24 + 1));
    while family.harness.store.prune_grants(family.harness.now(), 100).await.unwrap() > 0 {}
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    assert_eq!(family.harness.events().last().unwrap(), "token_refresh denied invalid_grant");
    family.assert_alive();
}

/// SEC-18: the replay of a token that was used and is older than a month, in a family that lives -> 400 `invalid_grant`, the family is revoked
#[tokio::test]
async fn a_used_token_is_told_however_old_it_is() {
    const DAY: Duration = Duration::from_hours(24);
    let family = Family::new().await;
    let second = family.next(family.first()).await;
    family.harness.advance(29 * DAY);
    let third = family.next(&second).await;
    family.harness.advance(2 * DAY);
    while family.harness.store.prune_grants(family.harness.now(), 100).await.unwrap() > 0 {}
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    family.assert_ended(&third).await;
}

/// SEC-66: the clock steps back by an hour after a use -> the window neither opens then nor closes for small differences
#[tokio::test]
async fn a_step_of_the_clock_does_not_hold_the_window_open() {
    let family = Family::new().await;
    let second = family.next(family.first()).await;
    family.harness.step_back(20 * SECOND);
    assert_eq!(family.next(family.first()).await, second, "the clock of another replica is behind");
    family.harness.step_back(Duration::from_hours(1));
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    family.assert_ended(&second).await;
}

/// SEC-18: a repetition where the operator wants none -> 400 `invalid_grant`, the family is revoked
#[tokio::test]
async fn the_window_is_the_operators() {
    let mut config = config();
    config.refresh_replay = ReplayWindow::try_from(0).unwrap();
    let family = Family::with(config).await;
    let second = family.next(family.first()).await;
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    family.assert_ended(&second).await;
}

#[tokio::test]
async fn a_client_may_have_a_window_of_its_own() {
    let store = Arc::new(MemoryStore::default());
    let harness = Harness::on(Arc::clone(&store) as _).await;
    let registered = harness.client().await;
    let mut client = store.client(&registered).await.unwrap().unwrap();
    client.id = "patient".into();
    client.settings.refresh_replay = Some(ReplayWindow::MAX);
    let now = harness.now();
    assert!(store.insert_client(&client, 100, now, &|| Ok(())).await.unwrap());
    let tokens = harness.tokens("patient").await;
    let family = Family { harness, client: "patient".into(), tokens };
    let second = family.next(family.first()).await;
    family.harness.advance(300 * SECOND);
    assert_eq!(family.next(family.first()).await, second);
    family.harness.advance(SECOND);
    assert_eq!(family.refresh(family.first()).await.error(), "invalid_grant");
    family.assert_ended(&second).await;
}

#[tokio::test]
async fn a_repetition_that_cannot_be_recorded_is_not_answered() {
    let family = Family::new().await;
    let second = family.next(family.first()).await;
    family.harness.break_audit(true);
    assert_eq!(family.refresh(family.first()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    family.harness.break_audit(false);
    assert_eq!(family.next(family.first()).await, second);
}

/// Ten refreshes of one token at once, over two servers as two processes are: one successor, ten usable answers.
async fn ten_at_once(one: Arc<dyn Store>, two: Arc<dyn Store>) {
    let harness = Harness::on(one).await;
    let replica = Harness::on(two).await;
    let client = harness.client().await;
    let tokens = harness.tokens(&client).await;
    let mut newest = text(&tokens["refresh_token"]).to_owned();
    for _ in 0..5 {
        let form =
            [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", newest.as_str())];
        let attempts: Vec<_> = (0..10)
            .map(|index| {
                let of = if index % 2 == 0 { &harness } else { &replica };
                let (router, request) = (of.router.clone(), form_request("/token", &form));
                tokio::spawn(async move { Answer::of(router.oneshot(request).await.unwrap()).await })
            })
            .collect();
        let answers = join_all(attempts).await;
        let successors: std::collections::BTreeSet<String> = answers
            .into_iter()
            .map(|answer| {
                let answer = answer.unwrap();
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
                text(&answer.json()["refresh_token"]).to_owned()
            })
            .collect();
        assert_eq!(successors.len(), 1, "one successor");
        newest = successors.into_iter().next().unwrap();
    }
    let events: Vec<String> = [harness.events(), replica.events()].concat();
    let count = |event: &str| events.iter().filter(|found| *found == event).count();
    assert_eq!(count("token_refresh success -"), 5);
    assert_eq!(count("token_refresh success refresh_token_repeated"), 45);
    assert!(!events.iter().any(|event| event.starts_with("token_revoke")), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_refreshes_at_once_lose_nothing_in_memory() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    ten_at_once(Arc::clone(&store), store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_refreshes_at_once_lose_nothing_on_sqlite() {
    let (_directory, url) = sqlite();
    ten_at_once(Arc::new(database(&url).await), Arc::new(database(&url).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_refreshes_at_once_lose_nothing_on_postgresql() {
    let cluster = PgCluster::start();
    let url = cluster.create_database();
    ten_at_once(Arc::new(database(&url).await), Arc::new(database(&url).await)).await;
}

/// SEC-18: a refresh token of another client, or asking for more scope -> 400 `invalid_grant` or `invalid_scope`
/// SEC-19: another resource at a refresh -> 400 `invalid_target`
#[tokio::test]
async fn a_refresh_is_bound_to_client_resource_and_scope() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let other = harness.client().await;
    let params = with(authorize_params(&client), "scope", Some("platform platform:read"));
    let answer = Browser::default().sign_in(&harness, &authorize_url(&params)).await;
    let code = answer.location_param("code").unwrap();
    let tokens = harness.post_form("/token", &redeem_params(&client, &code)).await.json();
    let refresh_token = text(&tokens["refresh_token"]);
    let good = || {
        vec![
            ("grant_type", "refresh_token"),
            ("client_id", client.as_str()),
            ("refresh_token", refresh_token),
        ]
    };
    let cases = [
        ("invalid_grant", with(good(), "client_id", Some(other.as_str()))),
        ("invalid_grant", with(good(), "refresh_token", Some("unknown"))),
        ("invalid_request", with(good(), "refresh_token", None)),
        ("invalid_target", with(good(), "resource", Some("https://other.example/mcp"))),
        ("invalid_scope", with(good(), "scope", Some("platform admin"))),
        ("invalid_scope", with(good(), "scope", Some("admin"))),
    ];
    for (error, form) in cases {
        assert_eq!(harness.post_form("/token", &form).await.error(), error, "{form:?}");
    }
    let narrow = with(with(good(), "scope", Some("platform:read")), "resource", Some(RESOURCE));
    let narrowed = harness.post_form("/token", &narrow).await.json();
    assert_eq!(narrowed["scope"], "platform:read");
    assert_eq!(claims(text(&narrowed["access_token"]))["scope"], "platform:read");
    // The grant is not narrowed: the next refresh may ask for all of it again.
    let again = harness.refresh(&client, text(&narrowed["refresh_token"])).await.json();
    assert_eq!(again["scope"], "platform platform:read");
}

/// SEC-18: a refresh token unused for a month, or of a grant 90 days old -> 400 `invalid_grant`
#[tokio::test]
async fn refresh_tokens_die_of_idleness_and_of_age() {
    const DAY: Duration = Duration::from_hours(24);
    let harness = Harness::new().await;
    let client = harness.client().await;
    let idle = harness.tokens(&client).await;
    let mut current = harness.tokens(&client).await;
    for _ in 0..3 {
        harness.advance(29 * DAY);
        let answer = harness.refresh(&client, text(&current["refresh_token"])).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        current = answer.json();
    }
    assert_eq!(harness.refresh(&client, text(&idle["refresh_token"])).await.error(), "invalid_grant");
    // 87 days old: an access token never outlives the grant.
    harness.advance(2 * DAY + Duration::from_mins(24 * 60 - 5));
    let last = harness.refresh(&client, text(&current["refresh_token"])).await.json();
    assert_eq!(last["expires_in"], 300);
    harness.advance(Duration::from_mins(5));
    assert_eq!(harness.refresh(&client, text(&last["refresh_token"])).await.error(), "invalid_grant");
}
