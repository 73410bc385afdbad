//! What happened, to whom, by which rule: one typed event for every step that security cares about.
//!
//! An [`Event`] is an [`Action`] with an [`Outcome`] and the [`Party`] it concerns. [`AuditLog::record`] hands it to a
//! writer thread and returns at once, so the request path never waits for a disk. When the writer cannot keep up or
//! its [`Sink`] fails, `record` answers [`AuditUnavailable`] and the caller refuses what it was about to allow.
//!
//! Recording ahead of the disk has a price: that a sink broke is known once a write fails, and events that were taken
//! until then have been acted on. They are kept in memory with their order and ids and written when the sink works
//! again, which is tried every second; they are lost, and counted, only if the process ends first or 8 MiB are waiting.
//! Who may not pay that price waits for the disk with [`AuditLog::flush`] and asks [`AuditLog::is_healthy`].
//!
//! This crate decides nothing and filters nothing. It never sees a token, a code or a credential: no field can hold one
//! by design, and free text is limited to reasons that this project writes itself.
//!
//! ```
//! use audit::{Action, AuditLog, Event, MemorySink, Outcome, Party};
//! use std::sync::Arc;
//!
//! let sink = MemorySink::default();
//! let log = AuditLog::start(sink.clone(), || std::time::UNIX_EPOCH)?;
//! let party = Party { subject: Some("ada".into()), tenant: Some("acme".into()), ..Party::default() };
//! log.record(Event::new(Action::Login, Outcome::Success, Arc::new(party)))?;
//! log.flush();
//! assert_eq!(sink.lines().len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threats
//! * *Log injection* (SEC-54): lines are JSON with every control character, line separator and bidirectional control
//!   escaped; over-long text is cut at [`MAX_TEXT`] bytes.
//! * *Silent loss*: the queue is bounded, a full queue is an error for the caller and is counted.
//! * *Half a line*: after a write to a file that broke off, the next event begins on a line of its own.

mod event;
mod log;
mod sink;
mod text;

pub use event::{Action, Event, Outcome, Party};
pub use log::{AuditLog, AuditUnavailable, QUEUE_CAPACITY};
pub use sink::{FileSink, MemorySink, Sink, StdoutSink};
pub use text::MAX_TEXT;
