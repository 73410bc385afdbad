//! The database seen past the server: holding a write back, and looking for what is half done.

use std::{future::Future, pin::pin, time::Duration};

use e2e::Lone;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

/// Each gives nothing as long as nothing is half done.
const HALF_DONE: [(&str, &str); 5] = [
    (
        "a code counts as used and gave no refresh token, or the other way round",
        "SELECT c.grant_id AS id FROM oauth_codes c WHERE (c.used_at IS NOT NULL) <> \
         EXISTS (SELECT 1 FROM oauth_refresh_tokens t WHERE t.grant_id = c.grant_id)",
    ),
    (
        "a family has no newest refresh token, or two",
        "SELECT grant_id AS id FROM oauth_refresh_tokens GROUP BY grant_id \
         HAVING SUM(CASE WHEN used_at IS NULL THEN 1 ELSE 0 END) <> 1",
    ),
    (
        "a code has no grant",
        "SELECT grant_id AS id FROM oauth_codes WHERE grant_id NOT IN (SELECT id FROM oauth_grants)",
    ),
    ("a grant has no code", "SELECT id FROM oauth_grants WHERE id NOT IN (SELECT grant_id FROM oauth_codes)"),
    (
        "tokens were exchanged under a grant that does not say so",
        "SELECT id FROM oauth_grants WHERE last_used_at IS NULL AND id IN (SELECT grant_id FROM oauth_refresh_tokens)",
    ),
];

/// How long a writer to SQLite is watched while another one holds the file: nobody can see from outside that it waits.
const WATCHED: Duration = Duration::from_millis(60);

pub(crate) struct Tables {
    db: DatabaseConnection,
}

impl Tables {
    pub(crate) async fn open(lone: &Lone) -> Self {
        let mut options = ConnectOptions::new(&lone.database);
        // One connection: what it locks, it unlocks.
        options.max_connections(1).sqlx_logging(false);
        Self { db: Database::connect(options).await.unwrap() }
    }

    /// Lets a request get as far as its write to `table`, then gives up on it with `kill`. Nothing may have been answered.
    pub(crate) async fn hold<T>(&self, table: &str, request: impl Future<Output = T>, kill: impl FnOnce()) {
        let lock = match self.db.get_database_backend() {
            DbBackend::Postgres => format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE"),
            _ => "BEGIN IMMEDIATE".to_owned(),
        };
        self.db.execute_unprepared(&lock).await.unwrap();
        let mut request = pin!(request);
        tokio::select! {
            _ = &mut request => panic!("{table} was not needed"),
            () = self.somebody_waits() => {}
        }
        kill();
        // The request learns that nobody is there any more before the next attempt.
        request.await;
        self.db.execute_unprepared("ROLLBACK").await.unwrap();
    }

    async fn somebody_waits(&self) {
        if self.db.get_database_backend() != DbBackend::Postgres {
            let _ = tokio::time::timeout(WATCHED, std::future::pending::<()>()).await;
            return;
        }
        let waiting = "SELECT 1 AS one FROM pg_locks WHERE NOT granted";
        while self.rows(waiting).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn assert_whole(&self) {
        for (what, query) in HALF_DONE {
            assert_eq!(self.rows(query).await, 0, "{what}");
        }
    }

    async fn rows(&self, query: &str) -> usize {
        let statement = Statement::from_string(self.db.get_database_backend(), query);
        self.db.query_all_raw(statement).await.unwrap().len()
    }
}
