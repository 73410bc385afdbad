//! Benches that need a machine to themselves. Each prints both sides of its ratios from one run.

use clap::Subcommand;

use crate::shell::{self, Done};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The gateway beside a bare hyper pass-through, on one pinned core.
    Gateway {
        /// Arguments for the bench itself.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The token endpoint of the built connect-server, alone on one core, on SQLite and on PostgreSQL.
    Oauth {
        /// Arguments for the bench itself.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

pub(crate) fn run(bench: &Bench) -> Done {
    let (program, arguments) = match bench {
        Bench::Gateway { arguments } => ("gateway-bench", arguments),
        Bench::Oauth { arguments } => {
            shell::run("cargo", &["build", "--quiet", "--release", "--package", "connect-server"])?;
            ("oauth-bench", arguments)
        }
    };
    let mut all = vec!["run", "--quiet", "--release", "--package", "benches", "--bin", program, "--"];
    all.extend(arguments.iter().map(String::as_str));
    shell::run("cargo", &all)
}
