//! Judges redirect URIs by a list of allowed hosts, the way Connect Server does at registration.
//!
//! It shows how another authorization server embeds the `connect-hosts` crate, and lets an operator try a list out:
//!
//! ```text
//! $ cargo run --package redirect-check -- 'claude.ai,cursor://,http://' https://claude.ai/api/mcp/auth_callback \
//!       cursor://anysphere.cursor-mcp/oauth/callback 'https://claude.ai@evil.example/'
//! entry 3 "http://" is ignored: a network scheme cannot be allowed; list the hostname, or localhost
//! allowed  https://claude.ai/api/mcp/auth_callback  (claude.ai)
//! allowed  cursor://anysphere.cursor-mcp/oauth/callback  (anysphere.cursor-mcp)
//! refused  "https://claude.ai@evil.example/"  (a redirect URI has no user name or password)
//! ```
//!
//! It exits with 0 when every redirect is allowed, 1 when one is refused, 2 when it is called wrongly.

mod report;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    let Some((list, redirects)) = arguments.split_first().filter(|(_, redirects)| !redirects.is_empty())
    else {
        eprintln!("usage: redirect-check <allowed hosts> <redirect URI>...");
        return ExitCode::from(2);
    };
    let (text, all_allowed) = report::report(list, redirects);
    print!("{text}");
    if all_allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
