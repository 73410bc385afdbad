//! An older copy of the database is put back.

use std::fs;

use e2e::Lone;
use reqwest::StatusCode;

use crate::party::{Party, refused, succeeded};

/// SEC-65: a revoked refresh token after an older database was put back and every grant revoked -> 400 `invalid_grant`
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_brings_nothing_back() {
    let lone = Lone::new(None);
    let party = Party { origin: lone.public_url.clone() };

    let mut server = lone.serve();
    let client = party.client().await;
    let (kept, revoked) = (party.family(&client).await, party.family(&client).await);
    assert!(server.terminate().success());
    put(&lone, "connect.db", "copy.db");

    server = lone.serve();
    assert_eq!(party.revoke(&client, &revoked).await.unwrap().0, StatusCode::OK);
    let newer = succeeded(party.refresh(&client, &kept).await);
    assert!(server.terminate().success());
    put(&lone, "copy.db", "connect.db");

    let ended = lone.run(&["revoke", "--all"]);
    let words = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && words.starts_with("2 grant(s) revoked"), "{words}");
    let without = lone.run(&["revoke"]);
    assert_eq!(without.status.code(), Some(2), "all must be said");
    server = lone.serve();
    for token in [&revoked, &kept, &newer] {
        assert!(refused(party.refresh(&client, token).await));
    }
    succeeded(party.refresh(&client, &party.family(&client).await).await);
    assert!(server.terminate().success());
    let audit = fs::read_to_string(lone.file("connect-audit.jsonl")).unwrap();
    assert!(audit.contains("\"action\":\"admin_change\"") && audit.contains("all_grants_revoked"), "{audit}");
}

/// Puts a copy of a stopped database in the place of another: the file, and the log beside it if one was left.
fn put(lone: &Lone, from: &str, to: &str) {
    for suffix in ["-wal", "-shm"] {
        // Gone already when the server had the time to tidy up.
        let _ = fs::remove_file(lone.file(&format!("{to}{suffix}")));
    }
    fs::copy(lone.file(from), lone.file(to)).unwrap();
    let log = lone.file(&format!("{from}-wal"));
    if log.exists() {
        fs::copy(log, lone.file(&format!("{to}-wal"))).unwrap();
    }
}
