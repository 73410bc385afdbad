//! The command line of the quickstart.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use serde_json::json;

use crate::{Stack, scenario::PEOPLE, snippets::snippets, tour};

/// Start the whole system on this machine, show who may do what, and stay up.
#[derive(Debug, Parser)]
#[command(name = "cargo quickstart", version)]
struct Arguments {
    /// Exit after the tour; the exit code says whether everything was as expected.
    #[arg(long)]
    tour: bool,
    /// Port for clients; any free one with --tour or --json, else 8080.
    #[arg(long)]
    port: Option<u16>,
    /// Print one JSON object with URLs, people and files instead of the tour, and stay up.
    #[arg(long, conflicts_with = "tour")]
    json: bool,
}

/// Runs the quickstart.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version arrive here too and are a success.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error),
    };
    match runtime.block_on(show(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failure(error.as_ref()),
    }
}

async fn show(arguments: &Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let any_port = if arguments.tour || arguments.json { 0 } else { 8080 };
    let stack = Stack::start(arguments.port.unwrap_or(any_port)).await?;
    let mut as_expected = true;
    if arguments.json {
        print(&format!("{}\n", describe(&stack)))?;
    } else {
        print(&format!("Connect Server is at {}\n", stack.public_url()))?;
        let report = tour::take(&stack).await?;
        print(&tour::render(&report))?;
        as_expected = report.differences.is_empty();
    }
    if !arguments.tour {
        if !arguments.json {
            print(&people())?;
            print(&snippets(&stack.mcp_url()))?;
            print("\nCtrl-C stops everything and leaves nothing behind.\n")?;
        }
        stop_signal().await?;
    }
    stack.stop().await;
    Ok(as_expected)
}

fn people() -> String {
    let line = |person: &crate::scenario::Person| {
        format!("  {:<6} {:<20} {} of {}\n", person.username, person.password, person.name, person.tenant)
    };
    let lines: String = PEOPLE.iter().map(line).collect();
    format!("\nSign in as\n{lines}")
}

fn describe(stack: &Stack) -> serde_json::Value {
    let people: Vec<_> = PEOPLE
        .iter()
        .map(|person| {
            json!({
                "username": person.username, "password": person.password, "name": person.name,
                "tenant": person.tenant,
            })
        })
        .collect();
    json!({
        "public_url": stack.public_url(), "mcp_url": stack.mcp_url(), "private_url": stack.private_url(),
        "aws_url": stack.aws_url(), "people": people, "config": stack.config_file(),
        "database": stack.database_file(),
        "audit": stack.audit_files().iter().map(|(program, path)| json!({ "program": program, "file": path })).collect::<Vec<_>>(),
    })
}

async fn stop_signal() -> io::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn failure(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    let _ = writeln!(io::stderr(), "quickstart: {text}");
    ExitCode::FAILURE
}
