use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use audit::{AuditUnavailable, Event};
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::{Map, Value, json};

use super::{
    Activation, KeyError, KeyRing, KeyState, list, revoke, rotate,
    schedule::{PUBLISHED_AFTER, PUBLISHED_BEFORE, SETTLED_AFTER},
};
use crate::{
    clock::unix_seconds,
    config::{KeySettings, RsaBits, SigningAlgorithm},
    seal::{AeadSealer, SealError, Sealer, Sealing},
    store::{KeyStore as _, MemoryStore, SigningKeyRecord},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a record")]
fn yes(_: Event) -> Result<(), AuditUnavailable> {
    Ok(())
}

fn of(algorithm: SigningAlgorithm) -> KeySettings {
    KeySettings { algorithm, rsa_bits: RsaBits::Bits2048, ..KeySettings::default() }
}

fn sealing(byte: u8, previous: &[u8]) -> Sealing {
    let sealer = |byte: u8| -> Arc<dyn Sealer> {
        Arc::new(AeadSealer::new(&SecretString::from(format!("{byte:02x}").repeat(32))).unwrap())
    };
    Sealing::new(sealer(byte), previous.iter().map(|byte| sealer(*byte)).collect()).unwrap()
}

async fn load(store: &MemoryStore, settings: KeySettings, now: SystemTime) -> Result<KeyRing, KeyError> {
    KeyRing::load(store, settings, Sealing::unsealed(), &yes, now).await
}

async fn ring(store: &MemoryStore, now: SystemTime) -> KeyRing {
    load(store, KeySettings::default(), now).await.unwrap()
}

fn published(ring: &KeyRing, now: SystemTime) -> Vec<String> {
    let jwks: Value = serde_json::from_str(&ring.jwks_json(now)).unwrap();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn token(ring: &KeyRing, now: SystemTime, lifetime: Duration) -> String {
    let claims = json!({
        "iss": "https://c.example", "aud": "https://c.example/mcp", "sub": "ada",
        "iat": unix_seconds(now), "exp": unix_seconds(now + lifetime),
    });
    ring.sign(claims.as_object().unwrap(), now).unwrap()
}

fn kid(token: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Map<String, Value> = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn verifier(keys: SharedKeys) -> TokenVerifier {
    let issuer = IssuerConfig::builder("https://c.example")
        .audiences(["https://c.example/mcp"])
        .algorithms([Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256])
        .build()
        .unwrap();
    TokenVerifier::new(issuer, keys)
}

/// A verifier elsewhere that read the published keys at some time.
fn elsewhere(jwks: &str) -> TokenVerifier {
    verifier(SharedKeys::new(KeySet::from_jwks_json(jwks.as_bytes()).unwrap()))
}

#[tokio::test]
async fn the_published_set_has_public_members_only_and_verifies() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        let ring = load(&MemoryStore::default(), of(algorithm), start()).await.unwrap();
        let jwks: Value = serde_json::from_str(&ring.jwks_json(start())).unwrap();
        let key = jwks["keys"][0].as_object().unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(!key.contains_key(private));
        }
        assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm.as_str()), &json!("sig")));
        assert_eq!(key["kid"].as_str().unwrap().len(), 43);
        let token = token(&ring, start(), MINUTE);
        elsewhere(&ring.jwks_json(start())).verify(&token, start()).await.unwrap();
        assert_eq!(ring.algorithms(start()), [algorithm]);
    }
}

/// SEC-64: a rotation, and keys read five minutes ago -> no fresh token is refused, and no old one before it expires
#[tokio::test]
async fn nobody_notices_a_scheduled_rotation() {
    let store = MemoryStore::default();
    let ring = ring(&store, start()).await;
    let due = start() + KeySettings::default().rotate_every.unwrap();
    let mut history = vec![(due - HOUR, ring.jwks_json(due - HOUR))];
    let (mut kids, mut tokens) = (vec![], vec![]);
    let mut now = due - 2 * MINUTE;
    while now < due + PUBLISHED_BEFORE + PUBLISHED_AFTER + 2 * MINUTE {
        ring.refresh(&store, &yes, now).await.unwrap();
        history.push((now, ring.jwks_json(now)));
        let fresh = token(&ring, now, HOUR);
        kids.push(kid(&fresh));
        tokens.push((now, fresh));
        let cached = history.iter().rev().find(|(at, _)| *at <= now - 5 * MINUTE).unwrap();
        let local = verifier(ring.verification_keys());
        for (issued, token) in &tokens {
            let lives = now < *issued + HOUR;
            if *issued == now {
                elsewhere(&cached.1).verify(token, now).await.unwrap();
            }
            if lives {
                local.verify(token, now).await.unwrap();
            }
        }
        now += MINUTE;
    }
    kids.dedup();
    assert_eq!(kids.len(), 2, "one change, and never back");
    assert_eq!(published(&ring, now), kids[1..], "the old key is gone");
    let moments: Vec<usize> = history.iter().map(|(_, jwks)| jwks.matches("\"kid\"").count()).collect();
    assert!(moments.contains(&2) && moments.iter().all(|count| *count <= 2));
}

/// SEC-64: two replicas with different algorithms during a deployment -> one change, and each signs what the other takes
#[tokio::test]
async fn a_changed_algorithm_is_a_next_key_and_does_not_flap() {
    let store = MemoryStore::default();
    let old = load(&store, of(SigningAlgorithm::Es256), start()).await.unwrap();
    let now = start() + SETTLED_AFTER;
    let new = load(&store, of(SigningAlgorithm::EdDsa), now).await.unwrap();
    assert_eq!(kid(&token(&old, now, MINUTE)), kid(&token(&new, now, MINUTE)), "no instant switch");
    // An old replica that is restarted half-way does not change it back.
    let restarted = load(&store, of(SigningAlgorithm::Es256), now + MINUTE).await.unwrap();
    for later in [2 * MINUTE, PUBLISHED_BEFORE + MINUTE, 10 * HOUR] {
        let now = now + later;
        for ring in [&old, &new, &restarted] {
            ring.refresh(&store, &yes, now).await.unwrap();
        }
        let kids = [&old, &new, &restarted].map(|ring| kid(&token(ring, now, MINUTE)));
        assert!(kids.iter().all(|kid| *kid == kids[0]), "{later:?}");
    }
    assert_eq!(new.algorithms(now + 10 * HOUR), [SigningAlgorithm::EdDsa]);
    assert_eq!(store.signing_keys().await.unwrap().len(), 2);
    // A replica that keeps the old setting for good has its way once, a day later, and the others leave it at that.
    let mut now = now;
    for _ in 0..20 {
        now += SETTLED_AFTER / 2;
        for ring in [&old, &new, &restarted] {
            ring.refresh(&store, &yes, now).await.unwrap();
        }
    }
    assert_eq!(new.algorithms(now), [SigningAlgorithm::Es256]);
}

/// SEC-64: a key that was stolen -> once withdrawn, its tokens are refused everywhere and nothing of it is kept
#[tokio::test]
async fn a_withdrawn_key_verifies_nothing() {
    let store = MemoryStore::default();
    let settings = KeySettings::default();
    let (one, two) = (ring(&store, start()).await, ring(&store, start()).await);
    let stolen = token(&one, start(), HOUR);
    let version = two.version();
    let now = start() + MINUTE;
    let successor = revoke(&store, &settings, &Sealing::unsealed(), &kid(&stolen), &yes, now).await.unwrap();
    for ring in [&one, &two] {
        ring.refresh(&store, &yes, now).await.unwrap();
        assert_eq!(published(ring, now), [successor.clone().unwrap()]);
        let verified = verifier(ring.verification_keys()).verify(&stolen, now).await;
        assert!(verified.is_err());
        let fresh = token(ring, now, HOUR);
        verifier(one.verification_keys()).verify(&fresh, now).await.unwrap();
    }
    assert!(two.version() > version, "what was verified before is verified anew");
    let kept = store.signing_keys().await.unwrap();
    assert!(kept[0].wrapped.expose_secret().is_empty());
    let again = revoke(&store, &settings, &Sealing::unsealed(), &kid(&stolen), &yes, now).await;
    assert!(matches!(again, Err(KeyError::Unknown { .. })));
    // A process that starts now takes it as little.
    assert_eq!(published(&ring(&store, now).await, now), [successor.unwrap()]);
}

#[tokio::test]
async fn an_operator_rotates_and_withdraws() {
    let (store, settings, sealing) = (MemoryStore::default(), KeySettings::default(), sealing(1, &[]));
    let ring = KeyRing::load(&store, settings.clone(), sealing.clone(), &yes, start()).await.unwrap();
    let first = published(&ring, start()).remove(0);
    let rotate = |activation, now| rotate(&store, &settings, &sealing, activation, &yes, now);
    let next = rotate(Activation::Overlapping, start()).await.unwrap();
    let again = rotate(Activation::Overlapping, start() + MINUTE).await;
    assert!(matches!(again, Err(KeyError::Waiting { kid }) if kid == next));
    let now = start() + PUBLISHED_BEFORE;
    let emergency = rotate(Activation::AtOnce, now).await.unwrap();
    let states = async |now| -> Vec<(String, KeyState)> {
        let reports = list(&store, &sealing, now).await.unwrap();
        assert!(reports.iter().all(|report| report.problem.is_none()));
        assert!(reports.iter().all(|report| report.sealed_with.as_deref() == sealing.key_id()));
        reports.into_iter().map(|report| (report.kid, report.state)).collect()
    };
    let expected = [
        (first.clone(), KeyState::Retired),
        (next.clone(), KeyState::Current),
        (emergency.clone(), KeyState::Next),
    ];
    assert_eq!(states(now).await, expected);
    let now = now + 10 * SECOND;
    assert_eq!(states(now).await[2].1, KeyState::Current, "within seconds");
    // A retired key needs no successor, a next one gets another in its place.
    assert_eq!(revoke(&store, &settings, &sealing, &first, &yes, now).await.unwrap(), None);
    let waiting = rotate(Activation::Overlapping, now).await.unwrap();
    let instead = revoke(&store, &settings, &sealing, &waiting, &yes, now).await.unwrap().unwrap();
    let kids: Vec<_> = list(&store, &sealing, now).await.unwrap();
    let of = |kid: &str| kids.iter().find(|report| report.kid == kid).unwrap().state;
    assert_eq!((of(&waiting), of(&instead)), (KeyState::Revoked, KeyState::Next));
    let alone = MemoryStore::default();
    super::rotate(&alone, &settings, &sealing, Activation::Overlapping, &yes, now).await.unwrap();
    assert_eq!(list(&alone, &sealing, now).await.unwrap()[0].activates_at, now, "the first signs at once");
    let unknown = revoke(&store, &settings, &sealing, "nobody", &yes, now).await;
    assert!(matches!(unknown, Err(KeyError::Unknown { .. })));
}

/// SEC-66: a clock put back by years and forward again -> it signs with a published key all the time, and no key is lost
#[tokio::test]
async fn steps_of_the_clock_lose_no_key() {
    let store = MemoryStore::default();
    let steady = ring(&store, start()).await;
    let stepping = ring(&store, start()).await;
    rotate(&store, &KeySettings::default(), &Sealing::unsealed(), Activation::Overlapping, &yes, start())
        .await
        .unwrap();
    for step in [UNIX_EPOCH, start() - HOUR, start() + HOUR, start()] {
        stepping.refresh(&store, &yes, step).await.unwrap();
        steady.refresh(&store, &yes, start()).await.unwrap();
        let token = token(&stepping, step, HOUR);
        assert!(published(&steady, start()).contains(&kid(&token)), "{step:?}");
    }
    assert_eq!(published(&stepping, start()), published(&steady, start()));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let no = |_: Event| Err(AuditUnavailable);
    let (store, settings, plain) = (MemoryStore::default(), KeySettings::default(), Sealing::unsealed());
    assert!(KeyRing::load(&store, settings.clone(), plain.clone(), &no, start()).await.is_err());
    assert!(store.signing_keys().await.unwrap().is_empty());
    let events = Mutex::new(Vec::new());
    let record = |event: Event| {
        events.lock().unwrap().push((event.reason.unwrap().into_owned(), event.target.unwrap()));
        Ok(())
    };
    let ring = KeyRing::load(&store, settings.clone(), plain.clone(), &record, start()).await.unwrap();
    let first = published(&ring, start()).remove(0);
    assert!(rotate(&store, &settings, &plain, Activation::AtOnce, &no, start()).await.is_err());
    assert!(revoke(&store, &settings, &plain, &first, &no, start()).await.is_err());
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
    let second = revoke(&store, &settings, &plain, &first, &record, start()).await.unwrap().unwrap();
    let expected = [
        ("signing_key_made".to_owned(), first.clone()),
        ("signing_key_revoked".to_owned(), first),
        ("signing_key_made".to_owned(), second),
    ];
    assert_eq!(*events.lock().unwrap(), expected);
}

#[tokio::test]
async fn keys_are_sealed_at_the_next_start_and_with_the_next_key() {
    let store = MemoryStore::default();
    let plain = ring(&store, start()).await;
    let expected = plain.jwks_json(start());
    assert!(store.signing_keys().await.unwrap()[0].wrapped.expose_secret().starts_with(b"pkcs8:"));
    for sealing in [sealing(1, &[]), sealing(1, &[]), sealing(2, &[1]), sealing(2, &[])] {
        let ring =
            KeyRing::load(&store, KeySettings::default(), sealing.clone(), &yes, start()).await.unwrap();
        assert_eq!(ring.jwks_json(start()), expected);
        let kept = store.signing_keys().await.unwrap().remove(0).wrapped;
        let mark = format!("sealed:1:{}:", sealing.key_id().unwrap());
        assert!(kept.expose_secret().starts_with(mark.as_bytes()));
    }
    // A replica that runs on from before knows the key already.
    plain.refresh(&store, &yes, start()).await.unwrap();
    assert_eq!(plain.jwks_json(start()), expected);
}

/// SEC-64: a stored key damaged, in another row, or sealed with another key -> the server does not start
#[tokio::test]
async fn an_unusable_stored_key_stops_the_start() {
    let store = MemoryStore::default();
    let sealing = sealing(1, &[]);
    KeyRing::load(&store, KeySettings::default(), sealing.clone(), &yes, start()).await.unwrap();
    rotate(&store, &KeySettings::default(), &sealing, Activation::Overlapping, &yes, start()).await.unwrap();
    let [one, two] = <[SigningKeyRecord; 2]>::try_from(store.signing_keys().await.unwrap()).unwrap();
    let bytes = one.wrapped.expose_secret();
    let mut flipped = bytes.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let plain = MemoryStore::default();
    ring(&plain, start()).await;
    let plain = plain.signing_keys().await.unwrap().remove(0);
    let of =
        |wrapped: &[u8]| SigningKeyRecord { wrapped: SecretSlice::from(wrapped.to_vec()), ..one.clone() };
    let cases = [
        ("flipped", of(&flipped)),
        ("truncated", of(&bytes[..bytes.len() - 1])),
        ("empty", of(b"")),
        ("swapped", of(two.wrapped.expose_secret())),
        ("another's plain key", of(plain.wrapped.expose_secret())),
        (
            "plain and truncated",
            SigningKeyRecord { wrapped: of(&plain.wrapped.expose_secret()[..40]).wrapped, ..plain.clone() },
        ),
        ("another algorithm", SigningKeyRecord { algorithm: "EdDSA".into(), ..one.clone() }),
        ("an unknown algorithm", SigningKeyRecord { algorithm: "none".into(), ..one.clone() }),
    ];
    for (what, record) in cases {
        let store = MemoryStore::default();
        assert!(store.insert_signing_key(&record, &|| Ok(())).await.unwrap());
        let loaded = KeyRing::load(&store, KeySettings::default(), sealing.clone(), &yes, start()).await;
        let error = loaded.map(drop).unwrap_err();
        assert!(matches!(error, KeyError::Unusable { .. } | KeyError::Sealed { .. }), "{what}: {error:?}");
        let problem = &list(&store, &sealing, start()).await.unwrap()[0].problem;
        assert!(problem.is_some(), "{what}");
    }
    let store = MemoryStore::default();
    store.insert_signing_key(&one, &|| Ok(())).await.unwrap();
    let wrong = load(&store, KeySettings::default(), start()).await.map(drop).unwrap_err();
    assert!(matches!(wrong, KeyError::Sealed { source: SealError::WrongKey { .. }, .. }), "{wrong:?}");
}

/// SEC-64: a next key that this replica cannot open -> it goes on with the keys it has, and says that it is behind
#[tokio::test]
async fn a_key_that_does_not_open_later_changes_nothing() {
    let store = MemoryStore::default();
    let ring = ring(&store, start()).await;
    let before = ring.jwks_json(start());
    let other = sealing(1, &[]);
    rotate(&store, &KeySettings::default(), &other, Activation::AtOnce, &yes, start()).await.unwrap();
    let now = start() + MINUTE;
    assert!(matches!(ring.refresh(&store, &yes, now).await, Err(KeyError::Sealed { .. })));
    assert_eq!(ring.jwks_json(now), before);
    assert!(ring.check_age(now, MINUTE).is_ok());
    assert!(ring.check_age(now + SECOND, MINUTE).is_err());
    assert!(ring.check_age(start() - HOUR, MINUTE).is_err(), "the clock was put back");
}

#[tokio::test]
async fn no_debug_or_error_shows_key_material() {
    let store = MemoryStore::default();
    let ring = ring(&store, start()).await;
    let record = store.signing_keys().await.unwrap().remove(0);
    let secret = record.wrapped.expose_secret();
    let broken = SigningKeyRecord {
        kid: "other".into(),
        times: super::KeyTimes { sequence: 2, ..record.times },
        ..record.clone()
    };
    store.insert_signing_key(&broken, &|| Ok(())).await.unwrap();
    let error = load(&store, KeySettings::default(), start()).await.map(drop).unwrap_err();
    let shown = format!("{ring:?} {record:?} {error:?} {error} {store:?}");
    let spellings = [format!("{secret:?}"), hex(&secret[40..60]), format!("{:?}", &secret[40..60])];
    for spelling in spellings {
        assert!(!shown.contains(spelling.trim_matches(['[', ']'])), "{shown}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
