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
    let (live, copy) = (lone.file("connect.db"), lone.file("copy.db"));

    let mut server = lone.serve();
    let client = party.client().await;
    let (kept, revoked) = (party.family(&client).await, party.family(&client).await);
    assert!(server.terminate().success());
    fs::copy(&live, &copy).unwrap();

    server = lone.serve();
    assert_eq!(party.revoke(&client, &revoked).await.unwrap().0, StatusCode::OK);
    let newer = succeeded(party.refresh(&client, &kept).await);
    assert!(server.terminate().success());
    for file in ["connect.db-wal", "connect.db-shm"] {
        // Gone already when the server stopped well.
        let _ = fs::remove_file(lone.file(file));
    }
    fs::copy(&copy, &live).unwrap();

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
