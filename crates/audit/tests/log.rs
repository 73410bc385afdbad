//! The log through its public door: shape of a line, failure of a sink, recovery.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use audit::{Action, AuditLog, AuditUnavailable, Event, FileSink, MemorySink, Outcome, Party, Sink};
use serde_json::{Value, json};

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
}

fn party() -> Arc<Party> {
    Arc::new(Party {
        issuer: Some("https://idp.example.com".into()),
        subject: Some("auth0|x/é".into()),
        tenant: Some("acme".into()),
        client: Some("c1".into()),
        role_arn: Some("arn:aws:iam::111122223333:role/reader".into()),
        tags: BTreeMap::from([("tenant".into(), "acme".into())]),
        policy_id: Some("7".into()),
        ..Party::default()
    })
}

#[test]
fn a_line_is_one_json_object_with_every_member() {
    let sink = MemorySink::default();
    let log = AuditLog::start(sink.clone(), clock).unwrap();
    log.record(
        Event::new(Action::Deny, Outcome::Denied, party())
            .request_id("r1")
            .reason("no_rule")
            .target("platform"),
    )
    .unwrap();
    log.flush();
    let mut line: Value = serde_json::from_str(&sink.lines()[0]).unwrap();
    let id = line.as_object_mut().unwrap().remove("event_id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 36);
    assert_eq!(
        line,
        json!({
            "time": "2027-01-15T08:00:00Z", "action": "deny", "outcome": "denied", "request_id": "r1",
            "reason": "no_rule", "target": "platform", "issuer": "https://idp.example.com", "subject": "auth0|x/é",
            "tenant": "acme", "client": "c1", "role_arn": "arn:aws:iam::111122223333:role/reader",
            "policy_id": "7", "tags": {"tenant": "acme"},
        })
    );
}

/// A sink that fails while it is told to.
struct Breakable {
    broken: Arc<AtomicBool>,
    inner: MemorySink,
}

impl Sink for Breakable {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("disk full"));
        }
        self.inner.write(lines)
    }
}

fn broken_sink() -> (Arc<AtomicBool>, MemorySink, Breakable) {
    let (broken, kept) = (Arc::new(AtomicBool::new(true)), MemorySink::default());
    let sink = Breakable { broken: Arc::clone(&broken), inner: kept.clone() };
    (broken, kept, sink)
}

fn event(reason: &'static str) -> Event {
    Event::new(Action::Allow, Outcome::Success, party()).reason(reason)
}

/// Ends only if the log tries the sink again by itself; otherwise the run's time limit ends it.
fn wait_until_healthy(log: &AuditLog) {
    while !log.is_healthy() {
        std::thread::yield_now();
    }
}

#[test]
fn a_failing_sink_refuses_events_and_loses_none() {
    let (broken, kept, sink) = broken_sink();
    let log = AuditLog::start(sink, clock).unwrap();
    // Nobody knows yet that the sink is broken.
    log.record(event("first")).unwrap();
    log.flush();
    assert!(!log.is_healthy());
    assert_eq!(log.record(event("second")), Err(AuditUnavailable));
    log.flush();
    broken.store(false, Ordering::SeqCst);
    // Nothing is recorded now: the log tries again by itself.
    wait_until_healthy(&log);
    log.record(event("third")).unwrap();
    log.flush();
    let reasons: Vec<Value> = kept
        .lines()
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["reason"].clone())
        .collect();
    assert_eq!(reasons, ["first", "second", "third"]);
    assert_eq!(log.lost(), 0);
}

#[test]
fn what_is_kept_for_a_failing_sink_is_bounded() {
    let (broken, kept, sink) = broken_sink();
    let log = AuditLog::start(sink, clock).unwrap();
    let text: &'static str = "x".repeat(2000).leak();
    for _ in 0..10 {
        for _ in 0..1000 {
            let _ = log.record(event(text));
        }
        log.flush();
    }
    let lost = log.lost();
    assert!(lost > 5000, "{lost}");
    broken.store(false, Ordering::SeqCst);
    wait_until_healthy(&log);
    assert_eq!(kept.lines().len() as u64 + lost, 10_000);
}

#[test]
fn a_file_keeps_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    for _ in 0..2 {
        let log = AuditLog::start(FileSink::open(&path).unwrap(), clock).unwrap();
        log.record(Event::new(Action::Login, Outcome::Success, party())).unwrap();
        log.flush();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn identifiers_are_unique_and_in_order() {
    let sink = MemorySink::default();
    let log = AuditLog::start(sink.clone(), clock).unwrap();
    for _ in 0..2_000 {
        log.record(Event::new(Action::Allow, Outcome::Success, party())).unwrap();
    }
    log.flush();
    let id =
        |line: &String| serde_json::from_str::<Value>(line).unwrap()["event_id"].as_str().unwrap().to_owned();
    let ids: Vec<String> = sink.lines().iter().map(id).collect();
    assert_eq!(ids.len(), 2_000);
    assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(ids.iter().all(|id| id.as_bytes()[14] == b'7'), "RFC 9562 version 7");
}
