//! The cache against a source that counts, waits and fails on command.

#![expect(clippy::expect_used, reason = "a failed set-up fails the test")]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use sts_session::{
    AssumeRole, AssumeRoleError, AssumeRoleRequest, Clock, SessionCache, SessionCacheBuilder,
    SessionCredentials, StsFailure, UnavailableCause,
};
use tokio::{
    sync::{Barrier, Semaphore},
    task::JoinSet,
};

const HOUR: Duration = Duration::from_hours(1);

/// A clock that is moved by hand.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let hand = self.clone();
        Arc::new(move || hand.now())
    }
}

/// Gives each call credentials of its own, named after its request.
#[derive(Clone)]
struct Source(Arc<Inner>);

struct Inner {
    hand: Hand,
    calls: Mutex<HashMap<AssumeRoleRequest, u64>>,
    count: AtomicU64,
    gate: Semaphore,
    failure: Mutex<Option<&'static str>>,
}

impl Source {
    fn new(hand: &Hand) -> Self {
        Self::gated(hand, Semaphore::MAX_PERMITS)
    }

    fn gated(hand: &Hand, permits: usize) -> Self {
        Self(Arc::new(Inner {
            hand: hand.clone(),
            calls: Mutex::default(),
            count: AtomicU64::new(0),
            gate: Semaphore::new(permits),
            failure: Mutex::default(),
        }))
    }

    fn fail(&self, code: Option<&'static str>) {
        *self.0.failure.lock().expect("not poisoned") = code;
    }

    fn calls(&self) -> u64 {
        self.0.count.load(Ordering::SeqCst)
    }

    fn calls_by_request(&self) -> HashMap<AssumeRoleRequest, u64> {
        self.0.calls.lock().expect("not poisoned").clone()
    }
}

impl AssumeRole for Source {
    async fn assume_role(&self, request: &AssumeRoleRequest) -> Result<SessionCredentials, AssumeRoleError> {
        let number = self.0.count.fetch_add(1, Ordering::SeqCst);
        *self.0.calls.lock().expect("not poisoned").entry(request.clone()).or_default() += 1;
        let _pass = self.0.gate.acquire().await.expect("open");
        let failure = *self.0.failure.lock().expect("not poisoned");
        if failure == Some("panic") {
            std::panic::resume_unwind(Box::new("on command"));
        }
        if let Some(code) = failure {
            let answer = StsFailure { status: 400, code, message: "", aws_request_id: Some("r") };
            return Err(answer.classify(&request.role_arn));
        }
        let key = format!("ASIA{number}");
        Ok(SessionCredentials::new(key, format!("{request:?}"), "t", self.0.hand.now() + request.duration))
    }
}

fn request(identity: &str) -> AssumeRoleRequest {
    AssumeRoleRequest::new("arn:aws:iam::111122223333:role/reader", identity, "eu-central-1")
}

/// Lets tasks that the cache started run to their end.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_interleaved_callers_of_twenty_keys_make_twenty_calls() {
    let hand = Hand::default();
    let source = Source::gated(&hand, 0);
    let cache = SessionCache::new(hand.clock());
    let mut callers = JoinSet::new();
    for caller in 0..200 {
        let (cache, source) = (cache.clone(), source.clone());
        callers.spawn(async move {
            let request = request(&format!("user{}", caller % 20));
            let session = cache.credentials(&request, source).await.expect("a session");
            assert_eq!(session.expose_secret_access_key(), format!("{request:?}"), "another's session");
        });
    }
    // All calls are waiting before the first may answer.
    while source.calls() < 20 {
        tokio::task::yield_now().await;
    }
    source.0.gate.add_permits(200);
    while let Some(outcome) = callers.join_next().await {
        outcome.expect("no panic");
    }
    let calls = source.calls_by_request();
    assert_eq!(calls.len(), 20);
    assert!(calls.values().all(|count| *count == 1), "{calls:?}");
}

/// Callers that meet at a request nobody has asked for yet: the moment in which a second call could slip in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_who_arrive_together_at_a_new_request_share_one_call() {
    let hand = Hand::default();
    let source = Source::new(&hand);
    let cache = SessionCache::new(hand.clock());
    for round in 0..3000 {
        let barrier = Arc::new(Barrier::new(4));
        let mut callers = JoinSet::new();
        for _ in 0..4 {
            let (cache, source, barrier) = (cache.clone(), source.clone(), Arc::clone(&barrier));
            callers.spawn(async move {
                barrier.wait().await;
                cache.credentials(&request(&format!("user{round}")), source).await.map(drop)
            });
        }
        assert!(callers.join_all().await.iter().all(Result::is_ok));
        assert_eq!(source.calls(), round + 1);
    }
}

#[tokio::test]
async fn sessions_are_refreshed_early_and_never_handed_out_stale() {
    let hand = Hand::default();
    let source = Source::new(&hand);
    let cache = SessionCache::new(hand.clock());
    let ada = request("ada");
    let first = cache.credentials(&ada, source.clone()).await.expect("a session");

    // Fresh: nothing is called.
    hand.set(40 * 60);
    assert_eq!(
        cache.credentials(&ada, source.clone()).await.expect("a session").access_key_id(),
        first.access_key_id()
    );
    settle().await;
    assert_eq!(source.calls(), 1);

    // Less than five minutes are left: the session at hand is given, a new one fetched meanwhile, once.
    hand.set(55 * 60 + 1);
    for _ in 0..3 {
        assert_eq!(
            cache.credentials(&ada, source.clone()).await.expect("a session").access_key_id(),
            first.access_key_id()
        );
    }
    settle().await;
    assert_eq!(source.calls(), 2);
    assert_ne!(
        cache.credentials(&ada, source.clone()).await.expect("a session").access_key_id(),
        first.access_key_id()
    );

    // The last minute is never used: the caller waits for a new one.
    hand.set(55 * 60 + 1 + 59 * 60);
    assert_eq!(cache.credentials(&ada, source.clone()).await.expect("a session").access_key_id(), "ASIA2");
    assert_eq!(source.calls(), 3);
}

#[tokio::test]
async fn a_failed_early_refresh_keeps_the_session_but_a_refusal_drops_it() {
    let hand = Hand::default();
    let source = Source::new(&hand);
    let cache = SessionCache::new(hand.clock());
    let ada = request("ada");
    cache.credentials(&ada, source.clone()).await.expect("a session");

    source.fail(Some("Throttling"));
    hand.set(55 * 60 + 1);
    cache.credentials(&ada, source.clone()).await.expect("the session at hand");
    settle().await;
    // Not again at once.
    cache.credentials(&ada, source.clone()).await.expect("the session at hand");
    settle().await;
    assert_eq!(source.calls(), 2);

    source.fail(Some("AccessDenied"));
    hand.set(55 * 60 + 7);
    cache.credentials(&ada, source.clone()).await.expect("the session at hand");
    settle().await;
    assert_eq!(source.calls(), 3);
    let error = cache.credentials(&ada, source.clone()).await.expect_err("the permission is gone");
    assert_eq!(error.reason(), "sts_denied");
}

#[tokio::test]
async fn only_throttling_is_remembered_and_only_for_a_second() {
    for (code, calls_at_once, calls_later) in
        [("Throttling", 1, 2), ("AccessDenied", 2, 3), ("ExpiredToken", 2, 3)]
    {
        let hand = Hand::default();
        let source = Source::new(&hand);
        let cache = SessionCache::new(hand.clock());
        source.fail(Some(code));
        for _ in 0..2 {
            cache.credentials(&request("ada"), source.clone()).await.expect_err(code);
        }
        assert_eq!(source.calls(), calls_at_once, "{code}");
        source.fail(None);
        hand.set(1);
        cache.credentials(&request("ada"), source.clone()).await.expect(code);
        assert_eq!(source.calls(), calls_later, "{code}");
    }
}

#[tokio::test]
async fn waiters_share_a_failure() {
    let hand = Hand::default();
    let source = Source::gated(&hand, 0);
    let cache = SessionCache::new(hand.clock());
    source.fail(Some("AccessDenied"));
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let (cache, source) = (cache.clone(), source.clone());
        callers.spawn(async move { cache.credentials(&request("ada"), source).await.map(drop) });
    }
    settle().await;
    source.0.gate.add_permits(10);
    let outcomes = callers.join_all().await;
    assert!(
        outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|error| error.reason() == "sts_denied"))
    );
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_cancel_the_others() {
    let hand = Hand::default();
    let source = Source::gated(&hand, 0);
    let cache = SessionCache::new(hand.clock());
    let first = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.credentials(&request("ada"), source).await.map(drop) }
    });
    settle().await;
    let second = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.credentials(&request("ada"), source).await.map(drop) }
    });
    settle().await;
    first.abort();
    source.0.gate.add_permits(1);
    assert_eq!(second.await.expect("no panic"), Ok(()));
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn a_call_that_dies_is_an_error_and_the_next_one_is_made_anew() {
    let hand = Hand::default();
    let source = Source::new(&hand);
    let cache = SessionCache::new(hand.clock());
    source.fail(Some("panic"));
    let error = cache.credentials(&request("ada"), source.clone()).await.expect_err("the call died");
    assert_eq!(error.reason(), AssumeRoleError::unavailable("", UnavailableCause::Interrupted).reason());
    source.fail(None);
    cache.credentials(&request("ada"), source.clone()).await.expect("a new call");
    assert_eq!(source.calls(), 2);
}

#[tokio::test]
async fn a_session_that_has_ended_on_arrival_is_an_error() {
    let hand = Hand::default();
    let source = Source::new(&hand);
    let cache = SessionCache::new(hand.clock());
    let mut short = request("ada");
    short.duration = Duration::from_mins(1);
    let error = cache
        .credentials(&short, source.clone())
        .await
        .expect_err("ends within the minute that is never used");
    assert_eq!(error.reason(), "sts_clock_skew");
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let hand = Hand::default();
    let source = Source::new(&hand);
    let cache = SessionCacheBuilder::default().capacity(10).build(hand.clock());
    for round in 0..200 {
        cache.credentials(&request(&format!("user{round}")), source.clone()).await.expect("a session");
    }
    for round in 0..200 {
        cache.credentials(&request(&format!("user{round}")), source.clone()).await.expect("a session");
    }
    assert!(source.calls() > 350, "{} calls: more than a few of 200 were remembered", source.calls());
}

/// Requests that differ in few fields or in none.
fn requests() -> impl Strategy<Value = AssumeRoleRequest> {
    let text = || prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned);
    let option = || prop::option::of(text());
    let tags = prop::collection::btree_map(text(), text(), 0..3);
    let keys = || prop::collection::btree_set(text(), 0..3);
    let first = (text(), text(), text(), tags, keys());
    let second = (option(), keys(), option(), 0..2u64, text());
    (first, second).prop_map(
        |((role, name, identity, tags, transitive), (policy, arns, id, hours, region))| AssumeRoleRequest {
            role_arn: role,
            role_session_name: name,
            source_identity: identity,
            tags,
            transitive_tag_keys: transitive,
            policy,
            policy_arns: arns,
            external_id: id,
            duration: HOUR + Duration::from_secs(hours),
            region,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// SEC-57: two requests that differ in anything -> they share no credentials
    #[test]
    fn requests_that_differ_share_nothing(requests in prop::collection::vec(requests(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let hand = Hand::default();
            let source = Source::new(&hand);
            let cache = SessionCache::new(hand.clock());
            let mut given: BTreeMap<String, HashSet<AssumeRoleRequest>> = BTreeMap::new();
            for request in &requests {
                let session = cache.credentials(request, source.clone()).await.expect("a session");
                prop_assert_eq!(session.expose_secret_access_key(), format!("{:?}", request));
                given.entry(session.access_key_id().to_owned()).or_default().insert(request.clone());
            }
            prop_assert!(given.values().all(|sharing| sharing.len() == 1));
            let distinct: HashSet<_> = requests.iter().collect();
            prop_assert_eq!(source.calls(), distinct.len() as u64);
            Ok(())
        })?;
    }
}
