//! What the gateway costs, beside a bare hyper pass-through in the same run.
//!
//! The proxy under test is alone on one core; the echo service and the load are on another. Rounds of both proxies
//! alternate, so that whatever else the machine does hits both. The processor time per request is the steady figure.

mod drive;
mod issue;
mod load;
mod proxies;
mod report;
mod upstream;

use std::{net::SocketAddr, process::ExitCode};

use benches::{Outcome, pin, usage};
use clap::{Args, Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(about = "The gateway beside a bare hyper pass-through, each alone on one core")]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: RunOptions,
}

#[derive(Args, Clone)]
struct RunOptions {
    /// Seconds of a round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Rounds of each proxy.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// The core of the proxy under test.
    #[arg(long, default_value_t = 0)]
    proxy_core: usize,
    /// The core of the load and the echo service.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// The signature of the tokens.
    #[arg(long, value_enum, default_value_t = Signature::Rs256)]
    signature: Signature,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Signature {
    Rs256,
    Es256,
}

/// The processes that a run consists of; not meant to be called by hand.
#[derive(Subcommand)]
enum Part {
    /// Prints its address, then answers every request with its body.
    #[command(hide = true)]
    Upstream,
    /// Prints its address, then forwards.
    #[command(hide = true)]
    Passthrough { upstream: SocketAddr },
    /// Prints its address and its callers' tokens, then forwards what it allows.
    #[command(hide = true)]
    Gateway { upstream: SocketAddr, signature: Signature, reading: Reading },
}

/// Whether the tool's name is read from the body.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reading {
    Head,
    Body,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.part {
        None => drive::run(&options.run),
        Some(Part::Upstream) => upstream::run(),
        Some(Part::Passthrough { upstream }) => proxies::pass_through(upstream),
        Some(Part::Gateway { upstream, signature, reading }) => {
            proxies::gateway(upstream, signature, reading)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
