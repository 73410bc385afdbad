//! `check`: is the configuration right, and who does AWS say the server is?

use std::io::{self, Write as _};

use sts_session::AssumeRoleError;

use crate::{base, config::Config, serve::sts_client};

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("the server's own credentials do not work ({})", .0.reason())]
    Credentials(#[source] AssumeRoleError),
    #[error("cannot print")]
    Print(#[from] io::Error),
}

/// Prints what is found. The configuration has been read by now, so it is right.
pub(crate) async fn run(config: &Config) -> Result<(), CheckError> {
    let accounts: Vec<String> = config.allowed_accounts.iter().map(ToString::to_string).collect();
    let mut out = io::stdout();
    writeln!(out, "configuration      ok")?;
    writeln!(out, "listens            {} (private {})", config.listen, config.private)?;
    writeln!(out, "region             {}", config.region.as_str())?;
    writeln!(out, "roles of accounts  {}", accounts.join(", "))?;
    let identity = sts_client(config, base::task_role()).caller_identity().await;
    let identity = identity.map_err(CheckError::Credentials)?;
    writeln!(out, "works as           {} of account {}", identity.arn, identity.account)?;
    Ok(())
}
