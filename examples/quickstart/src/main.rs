//! The program; everything is in the library.

fn main() -> std::process::ExitCode {
    quickstart::cli::run(std::env::args_os())
}
