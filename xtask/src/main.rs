//! `cargo xtask`: install what the tests need, run every check, write what is generated, run the benches.

mod bench;
mod matrix;
mod setup;
mod shell;
mod test;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the workspace")]
enum Command {
    /// Install what the tests need and is missing.
    Setup,
    /// Run every check, from formatting to the tests with real clients.
    Test,
    /// Write the page of negative tests anew from their doc comments.
    Matrix(matrix::Matrix),
    /// Measure something against its peers.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Setup => setup::run(),
        Command::Test => test::run(),
        Command::Matrix(matrix) => matrix::run(&matrix),
        Command::Bench(bench) => bench::run(&bench),
    };
    shell::exit_code(done)
}
