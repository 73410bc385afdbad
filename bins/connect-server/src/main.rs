//! The program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    connect_server::run(std::env::args_os(), std::env::vars_os())
}
