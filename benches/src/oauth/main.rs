//! What tokens cost: the built `connect-server`, alone on one core, asked over HTTP by many clients at once.
//!
//! The load and the database share the other core, so that what is seen per second is what they can take. The processor
//! time of the server for each operation is the steady figure; one core of it could answer a second's worth of that.

mod calls;
mod drive;
mod people;
mod report;
mod server;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "The token endpoint of connect-server on SQLite and on PostgreSQL, alone on one core")]
struct Options {
    /// Live grants.
    #[arg(long, default_value_t = 10_000)]
    grants: usize,
    /// Times that every grant is refreshed and introspected.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// The core of the server.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of the load and of PostgreSQL.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

fn main() -> ExitCode {
    match drive::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oauth-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
