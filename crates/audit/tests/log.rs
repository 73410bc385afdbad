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

struct Switch(Arc<AtomicBool>);

impl Sink for Switch {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) { Err(io::Error::other("disk full")) } else { Ok(()) }
    }
}

#[test]
fn a_failing_sink_refuses_events_until_it_works_again() {
    let broken = Arc::new(AtomicBool::new(true));
    let log = AuditLog::start(Switch(Arc::clone(&broken)), clock).unwrap();
    let event = || Event::new(Action::Allow, Outcome::Success, party());
    log.record(event()).unwrap();
    log.flush();
    assert_eq!(log.record(event()), Err(AuditUnavailable));
    assert!(!log.is_healthy());
    broken.store(false, Ordering::SeqCst);
    // The event that is refused is still offered to the sink, which shows that it is back.
    let _ = log.record(event());
    log.flush();
    assert!(log.is_healthy());
    log.record(event()).unwrap();
    assert!(log.lost() >= 1);
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
