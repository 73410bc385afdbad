//! Starts each server in turn and asks it for everything.

use std::path::Path;

use benches::{Outcome, pin, usage};
use pg_fixture::PgCluster;
use serde_json::Value;

use crate::{
    Options,
    calls::{Call, send},
    people::{self, REDIRECT, VERIFIER, client_id, client_secret},
    report::{Row, print},
    server::{Server, origin},
};

pub(crate) fn run(options: &Options) -> Outcome {
    let mut rows = Vec::new();
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}?mode=rwc", folder.path().join("connect.db").display());
    rows.extend(measure(options, "SQLite", folder.path(), &file)?);
    pin::to(options.load_core)?;
    let cluster = PgCluster::start();
    let folder = tempfile::tempdir()?;
    rows.extend(measure(options, "PostgreSQL", folder.path(), &cluster.create_database())?);
    print(&rows);
    Ok(())
}

fn measure(options: &Options, database: &'static str, folder: &Path, url: &str) -> Outcome<Vec<Row>> {
    let server = Server::start(folder, url, options.server_core)?;
    pin::to(options.load_core)?;
    eprintln!("{database}: {} people sign in", options.grants);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(people::sign_in(url, &origin(server.address), options.grants))?;
    let mut rows = Vec::new();
    let mut ask = |operation: &'static str, calls: Vec<Call>| -> Outcome<Vec<Value>> {
        let count = calls.len();
        let before = usage::processor_time(server.id())?;
        let seen = send(server.address, calls, options.connections)?;
        let used = usage::processor_time(server.id())?.since(before).all;
        let resident = usage::resident(server.id())?;
        rows.push(Row { database, operation, count, elapsed: seen.elapsed, used, resident });
        Ok(seen.answers)
    };
    let mut tokens = ask("code redemption", (0..options.grants).map(redeem).collect())?;
    for _ in 0..options.rounds {
        tokens = ask("refresh", tokens.iter().enumerate().map(refresh).collect())?;
    }
    for _ in 0..options.rounds {
        let answers = ask("introspection", tokens.iter().enumerate().map(introspect).collect())?;
        if !answers.iter().all(|answer| answer.get("active") == Some(&Value::Bool(true))) {
            return Err("a live token is not active".into());
        }
    }
    Ok(rows)
}

fn party(index: usize) -> String {
    format!("client_id={}&client_secret={}", client_id(index), client_secret(index))
}

fn redeem(index: usize) -> Call {
    let (party, code) = (party(index), people::code(index));
    let form = format!(
        "grant_type=authorization_code&{party}&code={code}&code_verifier={VERIFIER}&redirect_uri={REDIRECT}"
    );
    Call { path: "/token", form }
}

fn refresh((index, tokens): (usize, &Value)) -> Call {
    let token = text(tokens, "refresh_token");
    Call { path: "/token", form: format!("grant_type=refresh_token&{}&refresh_token={token}", party(index)) }
}

fn introspect((index, tokens): (usize, &Value)) -> Call {
    let token = text(tokens, "access_token");
    Call { path: "/introspect", form: format!("{}&token={token}", party(index)) }
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}
