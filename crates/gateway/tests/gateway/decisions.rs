//! How long a decision is used, and that it is nobody else's.

use std::{io, sync::Arc};

use audit::{AuditLog, Sink};
use gateway::{Authorized, Denial, Denied, Presented, TokenCache, Wanted};
use role_mapper::{DenyReason, MappingStore as _, RowKey};
use serde_json::json;

use crate::support::{FOREIGN, Issuer, RESOURCE, Service, World, call, claims, document, echo, post, with};

/// What means the service too, in tokens of other issuers.
const ALIAS: &str = "api://platform";

/// A world whose authorizer is asked directly.
struct Asked {
    world: World,
    cache: TokenCache,
    scopes: Vec<String>,
}

impl Asked {
    async fn new() -> Self {
        Self { world: World::new().await, cache: TokenCache::new(), scopes: vec!["platform".into()] }
    }

    async fn ask(&self, token: &str) -> Result<Authorized, Denied> {
        let audiences = [ALIAS.to_owned()];
        let wanted = Wanted {
            service: "platform",
            resource: RESOURCE,
            audiences: &audiences,
            scopes: &self.scopes,
            is_dpop_required: false,
        };
        self.world.authorizer.authorize(&self.cache, token, Presented::Bearer, wanted).await
    }

    async fn was_cached(&self, token: &str) -> bool {
        self.ask(token).await.unwrap().was_cached
    }

    async fn denial(&self, token: &str) -> Denial {
        self.ask(token).await.unwrap_err().denial
    }
}

#[tokio::test]
async fn a_decision_is_used_until_its_greatest_age() {
    let asked = Asked::new().await;
    let token = asked.world.token("ada");
    assert!(!asked.was_cached(&token).await);
    assert!(asked.was_cached(&token).await);
    asked.world.hands.move_by(59);
    assert!(asked.was_cached(&token).await);
    asked.world.hands.move_by(1);
    assert!(!asked.was_cached(&token).await, "a minute is the age that is configured");
    assert!(asked.was_cached(&token).await);
}

#[tokio::test]
async fn a_decision_ends_with_its_token() {
    let asked = Asked::new().await;
    let end = crate::support::START + 30;
    let token = asked.world.issuer.sign(&with(claims("ada"), "exp", json!(end)));
    assert!(!asked.was_cached(&token).await);
    asked.world.hands.move_by(29);
    assert!(asked.was_cached(&token).await);
    asked.world.hands.move_by(1);
    assert_eq!(asked.denial(&token).await.reason(), "token_expired");
}

/// SEC-66: the clock steps back behind a decision -> it is made anew
#[tokio::test]
async fn a_clock_that_steps_back_ends_a_decision() {
    let asked = Asked::new().await;
    asked.world.hands.move_by(100);
    let token = asked.world.token("ada");
    assert!(!asked.was_cached(&token).await);
    asked.world.hands.move_by(-50);
    assert!(!asked.was_cached(&token).await);
}

#[tokio::test]
async fn a_change_of_the_mapping_counts_at_once() {
    let asked = Asked::new().await;
    let token = asked.world.token("ada");
    assert!(!asked.was_cached(&token).await);
    asked.world.store.remove(RowKey::Rule { id: 1 }).await.unwrap();
    asked.world.mapping.refresh(asked.world.hands.now()).await.unwrap();
    assert_eq!(asked.denial(&token).await, Denial::Mapping(DenyReason::NoRule));
    asked.world.store.import(document()).await.unwrap();
    asked.world.mapping.refresh(asked.world.hands.now()).await.unwrap();
    assert!(!asked.was_cached(&token).await, "a denial is never kept");
}

#[tokio::test]
async fn a_mapping_that_nobody_confirmed_decides_nothing() {
    let asked = Asked::new().await;
    let token = asked.world.token("ada");
    assert!(!asked.was_cached(&token).await);
    asked.world.hands.move_by(601);
    let denial = asked.denial(&token).await;
    assert_eq!((denial.reason(), denial.is_transient()), ("mapping_too_old", true));
    asked.world.mapping.refresh(asked.world.hands.now()).await.unwrap();
    assert!(!asked.was_cached(&token).await);
}

/// SEC-22: the store of revocations cannot be read for too long -> 503, no call passes
#[tokio::test]
async fn revocations_that_nobody_read_for_too_long_stop_every_call() {
    let asked = Asked::new().await;
    let token = asked.world.token("ada");
    assert!(!asked.was_cached(&token).await);
    asked.world.revoked.set_stale(true);
    for token in [&token, &asked.world.token("bob")] {
        let denial = asked.denial(token).await;
        assert_eq!((denial.reason(), denial.is_transient()), ("revocations_too_old", true));
    }
    asked.world.revoked.set_stale(false);
    assert!(asked.was_cached(&token).await);
}

/// SEC-22: a call with a token of a revoked grant -> 401 at once, other grants go on
#[tokio::test]
async fn a_revocation_counts_at_once_for_its_grant_only() {
    let asked = Asked::new().await;
    let (ada, bob) = (asked.world.token("ada"), asked.world.token("bob"));
    assert!(!asked.was_cached(&ada).await);
    assert!(!asked.was_cached(&bob).await);
    asked.world.revoked.revoke("sid-ada");
    let denied = asked.ask(&ada).await.unwrap_err();
    assert_eq!(denied.denial, Denial::Revoked);
    assert_eq!(denied.party.unwrap().subject.as_deref(), Some("ada"));
    assert!(asked.was_cached(&bob).await, "others are asked about once more, and stay");
    assert_eq!(asked.denial(&ada).await, Denial::Revoked);
}

/// SEC-28: a token whose signing key was withdrawn, with a decision at hand -> refused from the next call on
#[tokio::test]
async fn a_withdrawn_key_ends_decisions_at_once() {
    let asked = Asked::new().await;
    let ada = asked.world.token("ada");
    assert!(!asked.was_cached(&ada).await);
    assert!(asked.was_cached(&ada).await);
    // Another key comes: everything is verified once more.
    asked.world.revoked.keys_changed();
    assert!(!asked.was_cached(&ada).await);
    assert!(asked.was_cached(&ada).await);
    asked.world.keys.replace(Issuer::new().keys());
    asked.world.revoked.keys_changed();
    let denied = asked.ask(&ada).await.unwrap_err();
    assert!(matches!(denied.denial, Denial::Token(_)), "{denied:?}");
}

/// SEC-19: our own token for an alias of the resource -> refused
#[tokio::test]
async fn an_alias_of_the_resource_is_for_tokens_of_other_issuers() {
    let asked = Asked::new().await;
    let theirs = |audience: &str| {
        asked.world.foreign.sign(&json!({
            "iss": FOREIGN, "aud": audience, "sub": "robot", "iat": crate::support::START,
            "exp": crate::support::START + 900,
        }))
    };
    assert!(asked.ask(&theirs(ALIAS)).await.is_ok());
    assert!(asked.ask(&theirs("api://platform/")).await.is_err());
    let ours = asked.world.issuer.sign(&with(claims("ada"), "aud", json!(ALIAS)));
    assert!(asked.ask(&ours).await.is_err());
}

#[tokio::test]
async fn principals_share_nothing() {
    let asked = Asked::new().await;
    let mut tokens: Vec<(String, String)> =
        (0..50).map(|n| (format!("person-{n}"), asked.world.token(&format!("person-{n}")))).collect();
    tokens.push(("foreign=.robot".into(), {
        let claims = json!({
            "iss": FOREIGN, "aud": ["https://x.test", RESOURCE], "sub": "robot", "iat": crate::support::START,
            "exp": crate::support::START + 900,
        });
        asked.world.foreign.sign(&claims)
    }));
    tokens.push(("gus".into(), asked.world.issuer.sign(&with(claims("gus"), "tenant", json!("globex")))));
    for _ in 0..3 {
        for (who, token) in &tokens {
            let authorized = asked.ask(token).await.unwrap();
            let party = authorized.permit.party();
            assert_eq!(party.source_identity.as_deref(), Some(who.as_str()));
            let tenant = if who.starts_with("person") { "acme" } else { "globex" };
            assert_eq!(party.tenant.as_deref(), Some(tenant), "{who}");
            assert_eq!(
                party.role_arn,
                Some(format!("arn:aws:iam::111122223333:role/{tenant}-reader")),
                "{who}"
            );
        }
    }
}

#[tokio::test]
async fn tokens_of_one_principal_share_its_rate() {
    let asked = Asked::new().await;
    let limited = |subject: &str, id: &str| {
        let claims = with(claims(subject), "hints", json!({ "groups": ["limited"] }));
        asked.world.issuer.sign(&with(claims, "jti", json!(id)))
    };
    let (first, second, other) = (limited("ada", "1"), limited("ada", "2"), limited("bob", "3"));
    assert!(asked.ask(&first).await.is_ok());
    assert!(asked.ask(&second).await.is_ok());
    assert_eq!(asked.denial(&first).await.reason(), "rate_limited");
    assert_eq!(asked.denial(&second).await.reason(), "rate_limited");
    let third = limited("ada", "4");
    assert_eq!(asked.denial(&third).await.reason(), "rate_limited", "a new token brings no new burst");
    assert!(asked.ask(&other).await.is_ok());
}

#[tokio::test]
async fn too_many_calls_are_told_when_to_come_back() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.issuer.sign(&with(claims("ada"), "hints", json!({ "groups": ["limited"] })));
    let request = post(&token, "", r#"{"id":1,"method":"ping"}"#);
    for _ in 0..2 {
        assert_eq!(call(served.address, &request).await.status, 200);
    }
    let answer = call(served.address, &request).await;
    assert_eq!(answer.status, 429);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn an_old_mapping_is_503() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    world.hands.move_by(601);
    let answer = call(served.address, post(&world.token("ada"), "", r#"{"id":1,"method":"ping"}"#)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.header("www-authenticate"), "");
}

/// A sink that keeps nothing.
struct Broken;

impl Sink for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::Error::other("full"))
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let mut world = World::new().await;
    let mut service = Service::start(echo).await;
    let hands = world.hands.clone();
    world.audit = AuditLog::start(Broken, move || hands.now()).unwrap();
    let served = world.serve(service.address).await;
    let request = post(&world.token("ada"), "", r#"{"id":1,"method":"ping"}"#);
    // The first event finds out that the sink is broken; perhaps in time for its own call, perhaps not.
    if call(served.address, &request).await.status == 200 {
        service.request().await;
    }
    world.audit.flush();
    let answer = call(served.address, &request).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (503, Some("temporarily_unavailable")));
    assert!(service.is_untouched());
}

#[tokio::test]
async fn counters_tell_what_happened() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let request = post(&world.token("ada"), "", r#"{"id":1,"method":"ping"}"#);
    for _ in 0..3 {
        assert_eq!(call(served.address, &request).await.status, 200);
    }
    call(served.address, post("garbage", "", "{}")).await;
    let seen = served.gateway.metrics().snapshot();
    assert_eq!((seen.allowed, seen.cache_hits, seen.cache_misses), (3, 2, 1));
    assert_eq!(seen.denied.get("token_malformed"), Some(&1));
    assert!(Arc::strong_count(&served.gateway.metrics()) > 1);
}
