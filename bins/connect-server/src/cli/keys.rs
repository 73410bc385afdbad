//! `connect-server keys`: the signing keys, which servers that run follow within seconds.

use std::time::SystemTime;

use clap::Subcommand;
use oauth_server::{
    keys::{self, Activation, KeyReport},
    seal::Sealing,
    store::SeaOrmStore,
};
use serde::Serialize;
use telemetry::system_clock;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{CliError, change::Changes, error::Chain, print};
use crate::{
    config::Config,
    database,
    sealing::{self, SealingError},
    serve::key_settings,
};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Print every signing key and what it is there for.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make the next signing key. It signs in eleven minutes, when every verifier has it: nobody notices.
    Rotate {
        /// Sign with it in ten seconds. Verifiers elsewhere that do not look again when they meet an unknown key refuse
        /// new tokens for up to five minutes.
        #[arg(long)]
        now: bool,
        /// Withdraw this key at once instead, because somebody else has it: its tokens are refused. Its place is taken by
        /// a new one.
        #[arg(long, value_name = "KID", conflicts_with = "now")]
        revoke: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What is printed about a key.
#[derive(Debug, Serialize)]
struct Line {
    kid: String,
    algorithm: String,
    state: &'static str,
    created_at: String,
    activates_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    sealed_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Done {
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    keys: Vec<Line>,
}

pub(super) async fn run(config: Config, command: KeysCommand) -> Result<(), CliError> {
    let connection = database::connect(&config.database).await?;
    database::prepare(&config.database, &connection).await?;
    let store = SeaOrmStore::new(connection);
    let sealing = sealing::sealing(&config).await.map_err(|error| not_sealed(&error))?;
    match command {
        KeysCommand::List { json } => {
            let lines = lines(&store, &sealing).await?;
            if json { print_json(&lines) } else { print(&table(&lines)) }
        }
        KeysCommand::Rotate { now, revoke, json } => {
            let done = rotate(&config, &store, &sealing, now, revoke).await?;
            if json { print_json(&done) } else { print(&words(&done, now)) }
        }
    }
}

async fn rotate(
    config: &Config,
    store: &SeaOrmStore,
    sealing: &Sealing,
    at_once: bool,
    revoke: Option<String>,
) -> Result<Done, CliError> {
    let changes = Changes::open(config)?;
    let record = |event| changes.record(event);
    let (settings, now) = (key_settings(config), system_clock()());
    let made = if let Some(kid) = &revoke {
        keys::revoke(store, &settings, sealing, kid, &record, now).await
    } else {
        let activation = if at_once { Activation::AtOnce } else { Activation::Overlapping };
        keys::rotate(store, &settings, sealing, activation, &record, now).await.map(Some)
    };
    let made = made.map_err(failed)?;
    Ok(Done { made, revoked: revoke, keys: lines(store, sealing).await? })
}

async fn lines(store: &SeaOrmStore, sealing: &Sealing) -> Result<Vec<Line>, CliError> {
    let reports = keys::list(store, sealing, system_clock()()).await.map_err(failed)?;
    Ok(reports.into_iter().map(line).collect())
}

fn line(report: KeyReport) -> Line {
    Line {
        state: report.state.as_str(),
        created_at: written(report.created_at),
        activates_at: written(report.activates_at),
        gone_at: report.gone_at.map(written),
        revoked_at: report.revoked_at.map(written),
        sealed_with: report.sealed_with,
        problem: report.problem.map(|problem| Chain(&problem).to_string()),
        kid: report.kid,
        algorithm: report.algorithm,
    }
}

fn table(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "no signing key yet: the first server that starts makes one\n".to_owned();
    }
    let sentences: Vec<String> = lines.iter().map(sentence).collect();
    sentences.join("\n") + "\n"
}

/// A key in one line.
fn sentence(line: &Line) -> String {
    let Line { kid, algorithm, state, .. } = line;
    let when = match (&line.revoked_at, &line.gone_at, *state) {
        (Some(at), _, _) => format!("since {at}"),
        (None, Some(at), "retired" | "gone") => format!("until {at}"),
        _ => format!("from {}", line.activates_at),
    };
    let sealed = match (&line.problem, &line.sealed_with) {
        (Some(problem), _) => format!("PROBLEM: {problem}"),
        (None, Some(key)) => format!("sealed with {key}"),
        (None, None) if *state == "revoked" => "deleted".to_owned(),
        (None, None) => "not sealed".to_owned(),
    };
    format!("{state:<8} {kid} {algorithm} {when}, {sealed}")
}

fn words(done: &Done, at_once: bool) -> String {
    let mut sentences = Vec::new();
    if let Some(kid) = &done.revoked {
        sentences.push(format!(
            "withdrew {kid}: every replica refuses its tokens within 5 seconds, verifiers elsewhere within 5 minutes; \
             clients that held one refresh it"
        ));
    }
    if let Some(kid) = &done.made {
        let from = done.keys.iter().find(|line| line.kid == *kid).map_or("", |line| &line.activates_at);
        sentences.push(format!("made {kid}: it signs from {from} on"));
    }
    if at_once {
        let cost = "verifiers elsewhere that do not look again when they meet an unknown key refuse new tokens for up to \
                    5 minutes";
        sentences.push(cost.to_owned());
    }
    sentences.extend(done.keys.iter().map(sentence));
    sentences.join("\n") + "\n"
}

/// What `check` finds about the keys: each with whether it is well.
pub(super) async fn findings(config: &Config, store: &SeaOrmStore) -> Vec<(String, Result<String, String>)> {
    let what = || "signing keys".to_owned();
    let sealing = match sealing::sealing(config).await {
        Ok(sealing) => sealing,
        Err(error) => return vec![(what(), Err(Chain(&error).to_string()))],
    };
    let mut findings = vec![("keys.seal".to_owned(), sealed_enough(config, &sealing))];
    let url = config.public_url.as_str();
    for disagreement in oauth_server::disagreements(store, &sealing, url).await {
        findings.push(("store".to_owned(), Err(Chain(&disagreement).to_string())));
    }
    match lines(store, &sealing).await {
        Ok(lines) if lines.is_empty() => findings.push((what(), Ok(table(&lines).trim_end().to_owned()))),
        Ok(lines) => findings.extend(lines.iter().map(|line| {
            let sentence = sentence(line);
            let well = if line.problem.is_some() { Err(sentence) } else { Ok(sentence) };
            (format!("signing key {}", line.kid), well)
        })),
        Err(error) => findings.push((what(), Err(error.to_string()))),
    }
    findings
}

/// A fleet's database is copied and backed up by others: its keys must not be readable in it.
fn sealed_enough(config: &Config, sealing: &Sealing) -> Result<String, String> {
    let unsealed = "signing keys are readable in the database and its backups: set keys.seal";
    match sealing.key_id() {
        Some(id) => Ok(format!("secrets are sealed with {id}")),
        None if config.replicas > 1 => Err(unsealed.to_owned()),
        None if config.public_url.is_loopback() => Ok("not sealed, for trying things out".to_owned()),
        None => Ok(format!("warning: {unsealed}")),
    }
}

fn written(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    at.replace_millisecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Input(error.to_string()))?;
    print(&format!("{text}\n"))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn failed(error: oauth_server::KeyError) -> CliError {
    CliError::Unhealthy(Chain(&error).to_string())
}

fn not_sealed(error: &SealingError) -> CliError {
    CliError::Unhealthy(Chain(error).to_string())
}

#[cfg(test)]
mod tests {
    use oauth_server::seal::Sealing;
    use settings::Document;

    use super::sealed_enough;
    use crate::config::{Config, PREFIX};

    fn config(public_url: &str, replicas: usize) -> Config {
        let text = format!(
            "public_url = \"{public_url}\"\nreplicas = {replicas}\n[database]\nurl = \"postgres://c@db/c\""
        );
        Config::read(&Document::parse(&text, PREFIX, [("", "")]).unwrap()).unwrap()
    }

    /// SEC-64: a fleet whose keys are readable in its database -> `check` fails
    #[test]
    fn a_fleet_must_seal_its_keys() {
        let unsealed = Sealing::unsealed();
        assert!(sealed_enough(&config("https://c.example", 2), &unsealed).is_err());
        let alone = sealed_enough(&config("https://c.example", 1), &unsealed).unwrap();
        assert!(alone.starts_with("warning: "), "{alone}");
        let local = sealed_enough(&config("http://localhost:8080", 1), &unsealed).unwrap();
        assert!(!local.contains("warning"), "{local}");
    }
}
