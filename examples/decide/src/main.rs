//! Says which role a person gets by a mapping, the way the gateway of Connect Server asks on a call.
//!
//! It shows how another gateway embeds the `role-mapper` crate, and lets an operator try a mapping out:
//!
//! ```text
//! $ cargo run --package decide -- examples/decide/mapping.toml https://idp.example.com ada platform \
//!       '{"groups": ["writers"]}'
//! granted: writer of acme, arn:aws:iam::111122223333:role/acme-writer for 900 s, by rule 2
//!   tag tenant = acme
//! ```
//!
//! It exits with 0 for a grant, 1 for a denial, 2 when it is called wrongly or the mapping is broken.

mod report;

use std::{env, process::ExitCode};

use report::Report;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    match report::report(&arguments) {
        Ok(Report { text, is_granted }) => {
            print!("{text}");
            if is_granted { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("decide: {error}");
            ExitCode::from(2)
        }
    }
}
