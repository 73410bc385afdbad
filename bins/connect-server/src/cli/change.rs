//! Records what an operator changes, beside the server's own events, where these go to a file.

use audit::{AuditLog, AuditUnavailable, Event, FileSink};
use telemetry::system_clock;

use super::CliError;
use crate::config::Config;

/// Where changes are recorded. Standard output is the command's own: nothing is recorded there.
pub(super) struct Changes(Option<AuditLog>);

impl Changes {
    pub(super) fn open(config: &Config) -> Result<Self, CliError> {
        let Some(file) = &config.audit_file else { return Ok(Self(None)) };
        let sink = FileSink::open(file).map_err(CliError::Terminal)?;
        Ok(Self(Some(AuditLog::start(sink, system_clock()).map_err(CliError::Terminal)?)))
    }

    /// Records a change that is about to become permanent, and is abandoned when this fails.
    pub(super) fn record(&self, event: Event) -> Result<(), AuditUnavailable> {
        let Some(log) = &self.0 else { return Ok(()) };
        log.record(event)?;
        log.flush();
        if log.is_healthy() { Ok(()) } else { Err(AuditUnavailable) }
    }
}
