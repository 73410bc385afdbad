//! One suite on every store: memory, SQLite and PostgreSQL.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed set-up fails the test"
)]

#[path = "support/sample.rs"]
mod sample;

use futures_util::future::join_all;
use pg_fixture::PgCluster;
use proptest::{
    prelude::{ProptestConfig, Strategy},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use role_mapper::{
    DenyReason, Loaded, Mapping, MappingDocument, MappingStore, MemoryStore, Query, RoleDecision, Row,
    RowKey, SeaOrmStore, StoreError, WriteError, decide, migrations,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations()
    }
}

async fn migrated(url: String) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(4).sqlx_logging(false);
    let database = Database::connect(options).await.unwrap();
    Migrator::up(&database, None).await.unwrap();
    database
}

async fn sqlite(directory: &TempDir) -> DatabaseConnection {
    migrated(format!("sqlite://{}?mode=rwc", directory.path().join("mapping.db").display())).await
}

/// Runs a case on each store.
macro_rules! on_every_store {
    ($($case:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&super::MemoryStore::default()).await;
            })+
        }

        mod on_sqlite {
            $(#[tokio::test]
            async fn $case() {
                let directory = super::TempDir::new().unwrap();
                super::$case(&super::SeaOrmStore::new(super::sqlite(&directory).await)).await;
            })+
        }

        /// One cluster for all cases, a database of its own for each.
        #[tokio::test]
        async fn every_case_on_postgres() {
            let cluster = PgCluster::start();
            $(
                println!("{}", stringify!($case));
                $case(&SeaOrmStore::new(migrated(cluster.create_database()).await)).await;
            )+
        }
    };
}

on_every_store!(
    a_new_store_is_empty,
    an_import_comes_back_as_it_was,
    a_broken_import_changes_nothing,
    rows_are_put_replaced_and_removed,
    a_broken_row_is_refused_and_named,
    what_others_need_stays,
    a_row_that_is_not_there_cannot_be_removed,
    a_subject_or_rule_can_move_to_another_tenant,
    strange_texts_are_kept,
    writers_at_once_lose_nothing,
);

fn document() -> MappingDocument {
    serde_json::from_value(json!({
        "tenants": [{"id": "acme", "name": "Acme"}, {"id": "globex", "name": "Globex", "admit_unknown_subjects": true}],
        "subjects": [{"issuer": "https://idp.example.com", "subject": "ada", "tenant": "acme", "display_name": "Ada"}],
        "roles": [
            {
                "tenant": "acme", "name": "reader", "role_arn": "arn:aws:iam::111122223333:role/reader",
                "tags": {"tenant": "acme", "team": {"claim": "/team"}}, "session_policy": "p",
                "requests_per_minute": 60, "burst": 5,
            },
            {"tenant": "globex", "name": "reader", "role_arn": "arn:aws:iam::444455556666:role/reader"},
        ],
        "rules": [
            {
                "id": 7, "tenant": "acme", "role": "reader", "priority": 5, "service": "platform",
                "subject": {"issuer": "https://idp.example.com", "subject": "ada"},
                "conditions": [{"pointer": "/a", "equals": true}, {"pointer": "/b", "contains": 3}],
            },
            {"id": 9, "tenant": "globex", "role": "reader"},
        ],
    }))
    .unwrap()
}

fn tenant(id: &str, name: &str) -> Row {
    Row::Tenant(serde_json::from_value(json!({"id": id, "name": name})).unwrap())
}

fn subject(subject: &str, tenant: &str) -> Row {
    Row::Subject(
        serde_json::from_value(json!({"issuer": "i", "subject": subject, "tenant": tenant})).unwrap(),
    )
}

fn role(tenant: &str, name: &str, arn: &str) -> Row {
    Row::Role(serde_json::from_value(json!({"tenant": tenant, "name": name, "role_arn": arn})).unwrap())
}

fn rule(id: i64, tenant: &str, role: &str) -> Row {
    Row::Rule(serde_json::from_value(json!({"id": id, "tenant": tenant, "role": role})).unwrap())
}

fn problems(refused: WriteError) -> Vec<String> {
    let WriteError::Invalid(problems) = refused else { panic!("{refused}") };
    problems.as_slice().iter().map(|problem| format!("{}: {}", problem.row, problem.field)).collect()
}

/// The store is as it was: the same rows, the same version.
async fn is_still(store: &dyn MappingStore, before: &Loaded) {
    let now = store.load().await.unwrap();
    assert_eq!((&now.document, now.version), (&before.document, before.version));
}

async fn a_new_store_is_empty(store: &dyn MappingStore) {
    assert_eq!(store.version().await.unwrap(), 0);
    let loaded = store.load().await.unwrap();
    assert_eq!((loaded.document, loaded.version), (MappingDocument::default(), 0));
    assert!(loaded.unreadable.is_empty());
}

async fn an_import_comes_back_as_it_was(store: &dyn MappingStore) {
    assert_eq!(store.import(document()).await.unwrap(), 1);
    assert_eq!(store.export().await.unwrap(), document());
    // Many more, each in place of the one before.
    let mut runner = TestRunner::new(ProptestConfig::default());
    for round in 2..40 {
        let next = sample::document().new_tree(&mut runner).unwrap().current();
        assert_eq!(store.import(next.clone()).await.unwrap(), round);
        assert_eq!(store.version().await.unwrap(), round);
        assert_eq!(store.export().await.unwrap(), next.sorted());
    }
    assert_eq!(store.import(MappingDocument::default()).await.unwrap(), 40);
    assert_eq!(store.export().await.unwrap(), MappingDocument::default());
}

async fn a_broken_import_changes_nothing(store: &dyn MappingStore) {
    store.import(document()).await.unwrap();
    let before = store.load().await.unwrap();
    let mut broken = document();
    broken.roles[0].role_arn = "oops".into();
    broken.rules[1].role = "missing".into();
    let refused = store.import(broken).await.unwrap_err();
    assert_eq!(problems(refused), ["roles acme/reader: role_arn", "rules 9: role"]);
    is_still(store, &before).await;
}

async fn rows_are_put_replaced_and_removed(store: &dyn MappingStore) {
    let arn = "arn:aws:iam::111122223333:role/r";
    for (version, row) in (1..).zip([
        tenant("acme", "Acme"),
        tenant("acme", "Acme Ltd"),
        subject("ada", "acme"),
        role("acme", "r", arn),
        rule(1, "acme", "r"),
        rule(2, "acme", "r"),
    ]) {
        assert_eq!(store.put(row).await.unwrap(), version);
    }
    let exported = store.export().await.unwrap();
    assert_eq!(exported.tenants.len(), 1);
    assert_eq!(exported.tenants[0].name, "Acme Ltd");
    assert_eq!(exported.rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), [1, 2]);
    let Loaded { document, .. } = store.load().await.unwrap();
    let mapping = Mapping::new(&document).unwrap();
    let claims = serde_json::Map::new();
    let query = Query { issuer: "i", subject: "ada", tenant: None, claims: &claims, service: "platform" };
    assert!(matches!(decide(&mapping, &query), RoleDecision::Grant(grant) if grant.role_arn == arn));
    for (version, key) in (7..).zip([
        RowKey::Rule { id: 1 },
        RowKey::Rule { id: 2 },
        RowKey::Role { tenant: "acme".into(), name: "r".into() },
        RowKey::Subject { issuer: "i".into(), subject: "ada".into() },
        RowKey::Tenant { id: "acme".into() },
    ]) {
        assert_eq!(store.remove(key).await.unwrap(), version);
    }
    assert_eq!(store.export().await.unwrap(), MappingDocument::default());
}

async fn a_broken_row_is_refused_and_named(store: &dyn MappingStore) {
    store.import(document()).await.unwrap();
    let before = store.load().await.unwrap();
    for (row, expected) in [
        (tenant("Acme", "Acme"), "tenants Acme: id"),
        (subject("", "acme"), "subjects i : subject"),
        (subject("ada", "nowhere"), "subjects i ada: tenant"),
        (role("nowhere", "r", "arn:aws:iam::111122223333:role/r"), "roles nowhere/r: tenant"),
        (role("acme", "reader", "arn:aws:iam::1:role/r"), "roles acme/reader: role_arn"),
        (rule(7, "acme", "missing"), "rules 7: role"),
        (rule(0, "acme", "reader"), "rules 0: id"),
        (rule(8, "nowhere", "reader"), "rules 8: tenant"),
    ] {
        let refused = store.put(row).await.unwrap_err();
        assert_eq!(problems(refused)[0], expected);
    }
    is_still(store, &before).await;
}

async fn what_others_need_stays(store: &dyn MappingStore) {
    store.import(document()).await.unwrap();
    let before = store.load().await.unwrap();
    let refused =
        store.remove(RowKey::Role { tenant: "acme".into(), name: "reader".into() }).await.unwrap_err();
    assert_eq!(problems(refused), ["rules 7: role"]);
    let refused = store.remove(RowKey::Tenant { id: "acme".into() }).await.unwrap_err();
    assert_eq!(
        problems(refused),
        ["subjects https://idp.example.com ada: tenant", "roles acme/reader: tenant", "rules 7: tenant"]
    );
    is_still(store, &before).await;
}

async fn a_row_that_is_not_there_cannot_be_removed(store: &dyn MappingStore) {
    store.import(document()).await.unwrap();
    let before = store.load().await.unwrap();
    for key in [
        RowKey::Tenant { id: "nowhere".into() },
        RowKey::Subject { issuer: "https://idp.example.com".into(), subject: "Ada".into() },
        RowKey::Role { tenant: "acme".into(), name: "writer".into() },
        RowKey::Rule { id: 8 },
    ] {
        let refused = store.remove(key.clone()).await.unwrap_err();
        assert!(matches!(&refused, WriteError::NotFound(missing) if *missing == key), "{refused}");
    }
    is_still(store, &before).await;
}

async fn a_subject_or_rule_can_move_to_another_tenant(store: &dyn MappingStore) {
    store.import(document()).await.unwrap();
    store.put(subject("ada", "acme")).await.unwrap();
    store.put(subject("ada", "globex")).await.unwrap();
    store.put(rule(7, "globex", "reader")).await.unwrap();
    let now = store.export().await.unwrap();
    assert_eq!(now.subjects.iter().find(|row| row.issuer == "i").unwrap().tenant, "globex");
    assert_eq!(now.rules.iter().map(|rule| rule.tenant.as_str()).collect::<Vec<_>>(), ["globex", "globex"]);
    assert_eq!(store.version().await.unwrap(), 4);
}

async fn strange_texts_are_kept(store: &dyn MappingStore) {
    let mut document = document();
    for (number, text) in
        ["auth0|x/é", "'; DROP TABLE mapping_rules; --", "%", "_", "\"", "\\", "🦀", &"s".repeat(1024)]
            .into_iter()
            .enumerate()
    {
        let row =
            json!({"issuer": "i", "subject": text, "tenant": "acme", "display_name": format!("{number} 🦀")});
        document.subjects.push(serde_json::from_value(row).unwrap());
    }
    store.import(document.clone()).await.unwrap();
    assert_eq!(store.export().await.unwrap(), document.sorted());
    // A pattern character is no pattern.
    store.remove(RowKey::Subject { issuer: "i".into(), subject: "%".into() }).await.unwrap();
    assert_eq!(store.export().await.unwrap().subjects.len(), 8);
}

async fn writers_at_once_lose_nothing(store: &dyn MappingStore) {
    store.import(document()).await.unwrap();
    let writes = (0..20).map(|number| store.put(rule(100 + number, "acme", "reader")));
    let mut versions: Vec<_> =
        join_all(writes).await.into_iter().map(|written: Result<u64, WriteError>| written.unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..22).collect::<Vec<_>>());
    assert_eq!(store.export().await.unwrap().rules.len(), 22);
    // Taking a role away and granting it cannot both be done.
    store.put(role("acme", "spare", "arn:aws:iam::111122223333:role/spare")).await.unwrap();
    let (removed, granted) = tokio::join!(
        store.remove(RowKey::Role { tenant: "acme".into(), name: "spare".into() }),
        store.put(rule(500, "acme", "spare")),
    );
    assert_ne!(removed.is_ok(), granted.is_ok());
    Mapping::new(&store.export().await.unwrap()).unwrap();
}

/// What a database may hold that no write of ours makes: each row breaks its tenant and no other.
async fn broken_rows_disable_their_tenant(database: DatabaseConnection) {
    let store = SeaOrmStore::new(database.clone());
    store.import(document()).await.unwrap();
    let claims = json!({"a": true, "b": [3], "team": "lab"});
    for (breaking, row, field, mending) in [
        (
            "UPDATE mapping_roles SET role_arn = 'oops' WHERE tenant = 'acme'",
            "roles acme/reader",
            "role_arn",
            true,
        ),
        (
            "UPDATE mapping_roles SET duration_seconds = -1 WHERE tenant = 'acme'",
            "roles acme/reader",
            "duration_seconds",
            true,
        ),
        ("UPDATE mapping_roles SET tags = '{\"a\"' WHERE tenant = 'acme'", "roles acme/reader", "tags", true),
        (
            "UPDATE mapping_roles SET tags = '{\"a\": 1}' WHERE tenant = 'acme'",
            "roles acme/reader",
            "tags",
            true,
        ),
        (
            "UPDATE mapping_rules SET conditions = '[{\"cel\": \"true\"}]' WHERE id = 7",
            "rules 7",
            "conditions",
            true,
        ),
        ("UPDATE mapping_rules SET issuer = NULL WHERE id = 7", "rules 7", "subject", true),
        ("UPDATE mapping_rules SET role = 'missing' WHERE id = 7", "rules 7", "role", true),
        (
            "UPDATE mapping_subjects SET display_name = 'a\nb'",
            "subjects https://idp.example.com ada",
            "display_name",
            true,
        ),
        ("UPDATE mapping_tenants SET name = '' WHERE id = 'acme'", "tenants acme", "name", true),
        ("DELETE FROM mapping_roles WHERE tenant = 'acme'", "rules 7", "role", false),
    ] {
        store.import(document()).await.unwrap();
        database.execute_unprepared(breaking).await.unwrap();
        let loaded = store.load().await.unwrap();
        let mapping = Mapping::disabling_broken(&loaded.document, loaded.unreadable);
        let found = mapping.problems().first().unwrap();
        assert_eq!((found.row.to_string().as_str(), found.field.as_str()), (row, field), "{breaking}");
        let tenants: Vec<_> = mapping.problems().iter().map(|problem| problem.tenant.as_deref()).collect();
        assert!(tenants.iter().all(|tenant| *tenant == Some("acme")), "{breaking}: {tenants:?}");
        assert_eq!(who(&mapping, "ada", None, &claims), Err(DenyReason::TenantBroken), "{breaking}");
        assert_eq!(who(&mapping, "eve", Some("globex"), &claims), Ok(9), "{breaking}");
        if mending {
            mend(&store, row).await;
        } else {
            store.put(Row::Role(document().roles.remove(0))).await.unwrap();
        }
        assert_eq!(store.export().await.unwrap(), document(), "{breaking}");
    }
}

/// Puts the row that was broken back, while it is still broken.
async fn mend(store: &SeaOrmStore, row: &str) {
    let document = document();
    let sound = (document.tenants.into_iter().map(Row::Tenant))
        .chain(document.subjects.into_iter().map(Row::Subject))
        .chain(document.roles.into_iter().map(Row::Role))
        .chain(document.rules.into_iter().map(Row::Rule))
        .find(|sound| sound.key().to_string() == row);
    store.put(sound.unwrap()).await.unwrap();
}

fn who(mapping: &Mapping, subject: &str, tenant: Option<&str>, claims: &Value) -> Result<i64, DenyReason> {
    let issuer = "https://idp.example.com";
    let claims = claims.as_object().unwrap();
    match decide(mapping, &Query { issuer, subject, tenant, claims, service: "platform" }) {
        RoleDecision::Grant(grant) => Ok(grant.by.get()),
        RoleDecision::Deny(reason) => Err(reason),
    }
}

#[tokio::test]
async fn broken_rows_in_sqlite() {
    let directory = TempDir::new().unwrap();
    broken_rows_disable_their_tenant(sqlite(&directory).await).await;
}

#[tokio::test]
async fn broken_rows_in_postgres() {
    let cluster = PgCluster::start();
    broken_rows_disable_their_tenant(migrated(cluster.create_database()).await).await;
}

/// SQLite keeps a text where a truth value should be.
#[tokio::test]
async fn a_subject_that_cannot_be_read_stays_pinned() {
    let directory = TempDir::new().unwrap();
    let database = sqlite(&directory).await;
    let store = SeaOrmStore::new(database.clone());
    store.import(document()).await.unwrap();
    database.execute_unprepared("UPDATE mapping_subjects SET active = 'perhaps'").await.unwrap();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.unreadable.len(), 1);
    let mapping = Mapping::disabling_broken(&loaded.document, loaded.unreadable);
    assert_eq!(who(&mapping, "ada", None, &json!({})), Err(DenyReason::TenantBroken));
    assert_eq!(who(&mapping, "ada", Some("globex"), &json!({})), Err(DenyReason::TenantMismatch));
    let lossy = store.export().await.unwrap_err();
    assert!(matches!(&lossy, StoreError::Unreadable(_)) && !lossy.is_transient(), "{lossy}");
    // It can be taken out, and then everything is in order.
    let key = RowKey::Subject { issuer: "https://idp.example.com".into(), subject: "ada".into() };
    store.remove(key).await.unwrap();
    assert_eq!(store.export().await.unwrap().subjects, []);
}

/// SQLite keeps bytes where a text should be. Nobody is decided for by what is left: the row may have pinned anybody.
#[tokio::test]
async fn a_row_of_nobody_fails_the_read_and_names_its_table() {
    for (breaking, table) in [
        ("UPDATE mapping_subjects SET tenant = x'ff', active = 'perhaps'", "mapping_subjects"),
        ("UPDATE mapping_rules SET tenant = x'ff' WHERE id = 7", "mapping_rules"),
        ("UPDATE mapping_tenants SET id = x'ff' WHERE id = 'acme'", "mapping_tenants"),
    ] {
        let directory = TempDir::new().unwrap();
        let database = sqlite(&directory).await;
        let store = SeaOrmStore::new(database.clone());
        store.import(document()).await.unwrap();
        database.execute_unprepared(breaking).await.unwrap();
        let failure = store.load().await.unwrap_err();
        assert!(!failure.is_transient() && failure.to_string().contains(table), "{breaking}: {failure}");
        // An import replaces all rows, also that one.
        store.import(document()).await.unwrap();
        assert_eq!(store.export().await.unwrap(), document(), "{breaking}");
    }
}

#[tokio::test]
async fn a_fault_elsewhere_in_the_tenant_does_not_stop_a_sound_write() {
    let directory = TempDir::new().unwrap();
    let database = sqlite(&directory).await;
    let store = SeaOrmStore::new(database.clone());
    store.import(document()).await.unwrap();
    database
        .execute_unprepared("UPDATE mapping_roles SET role_arn = 'oops' WHERE tenant = 'acme'")
        .await
        .unwrap();
    store.put(subject("bob", "acme")).await.unwrap();
    let refused = store.put(role("acme", "reader", "oops")).await.unwrap_err();
    assert_eq!(problems(refused), ["roles acme/reader: role_arn"]);
}

#[tokio::test]
async fn a_database_that_is_gone_is_a_transient_failure() {
    let mut cluster = PgCluster::start();
    let store = SeaOrmStore::new(migrated(cluster.create_database()).await);
    store.import(document()).await.unwrap();
    cluster.stop();
    let failure = store.version().await.unwrap_err();
    assert!(failure.is_transient());
    assert!(
        matches!(store.put(tenant("a", "A")).await, Err(WriteError::Store(error)) if error.is_transient())
    );
    cluster.restart();
    // The pool may hold connections that have yet to find out; each fails once.
    let mut version = store.version().await;
    for _ in 0..8 {
        if version.is_err() {
            version = store.version().await;
        }
    }
    assert_eq!(version.unwrap(), 1);
}

#[tokio::test]
async fn a_store_without_its_version_row_answers_nothing() {
    let directory = TempDir::new().unwrap();
    let database = sqlite(&directory).await;
    let store = SeaOrmStore::new(database.clone());
    database.execute_unprepared("DELETE FROM mapping_version").await.unwrap();
    assert!(store.version().await.is_err());
    assert!(store.load().await.is_err());
    assert!(store.import(document()).await.is_err());
    let exported = database.query_one_raw(sea_orm::Statement::from_string(
        database.get_database_backend(),
        "SELECT COUNT(*) AS n FROM mapping_rules",
    ));
    assert_eq!(exported.await.unwrap().unwrap().try_get::<i64>("", "n").unwrap(), 0);
}
