//! Log lines on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{self, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::printable::{Printable, json_line};

/// The filter used when none is configured.
const DEFAULT_FILTER: &str = "info";

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One line for people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line for machines.
    Json,
}

/// The name of a log format is neither `text` nor `json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format, expected `text` or `json`")]
pub struct UnknownLogFormat;

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(name: &str) -> Result<Self, UnknownLogFormat> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownLogFormat),
        }
    }
}

/// Tracing could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitTracingError {
    /// The filter is not one that `tracing` understands.
    #[error(
        "log filter {filter:?} is not valid, expected for example `info` or `info,gateway=debug`: {reason}"
    )]
    Filter {
        /// The filter as configured.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// This process has a subscriber already.
    #[error("tracing is set up already")]
    AlreadySet,
}

/// Installs the process-wide subscriber, which writes to standard error.
///
/// `filter` is a list of directives such as `info,gateway=debug`; `None` means `info`. Colours are used in
/// [`LogFormat::Text`] on a terminal, unless `NO_COLOR` is set.
///
/// # Errors
/// [`InitTracingError::Filter`] when the filter does not parse, [`InitTracingError::AlreadySet`] on a second call.
pub fn init_tracing(format: LogFormat, filter: Option<&str>) -> Result<(), InitTracingError> {
    let filter = parse_filter(filter.unwrap_or(DEFAULT_FILTER))?;
    let colours = if io::stderr().is_terminal() { Colours::UnlessRefused } else { Colours::Never };
    match format {
        LogFormat::Text => text(filter, colours, io::stderr).try_init(),
        LogFormat::Json => json(filter, io::stderr).try_init(),
    }
    .map_err(|_| InitTracingError::AlreadySet)
}

#[derive(Clone, Copy)]
enum Colours {
    Never,
    UnlessRefused,
}

fn parse_filter(filter: &str) -> Result<EnvFilter, InitTracingError> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|error| InitTracingError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

fn text<W>(filter: EnvFilter, colours: Colours, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).fmt_fields(printable_fields());
    let layer = match colours {
        Colours::Never => layer.with_ansi(false),
        Colours::UnlessRefused => layer,
    };
    tracing_subscriber::registry().with(filter).with(layer)
}

/// Fields as `name=value`, the message bare, every value made printable.
fn printable_fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    format::debug_fn(|writer: &mut Writer<'_>, field, value| {
        use std::fmt::Write as _;

        if field.name() != "message" {
            write!(writer, "{field}=")?;
        }
        write!(Printable(writer), "{value:?}")
    })
    .delimited(" ")
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_writer(JsonLines(writer));
    tracing_subscriber::registry().with(filter).with(layer)
}

/// Makes writers that escape what JSON itself leaves raw: DEL, C1 and bidirectional controls, line separators.
struct JsonLines<M>(M);

impl<'w, M: MakeWriter<'w>> MakeWriter<'w> for JsonLines<M> {
    type Writer = JsonLine<M::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        JsonLine(self.0.make_writer())
    }
}

struct JsonLine<W>(W);

impl<W: Write> Write for JsonLine<W> {
    // The layer hands over each event as one whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(json_line(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::{Colours, InitTracingError, LogFormat, UnknownLogFormat, json, parse_filter, text};
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing::Subscriber;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn written<S: Subscriber + Send + Sync + 'static>(
        subscriber: impl FnOnce(Buffer) -> S,
        log: impl FnOnce(),
    ) -> String {
        let buffer = Buffer::default();
        tracing::subscriber::with_default(subscriber(buffer.clone()), log);
        buffer.text()
    }

    fn text_lines(colours: Colours, log: impl FnOnce()) -> String {
        let make = |buffer: Buffer| text(parse_filter("info").unwrap(), colours, move || buffer.clone());
        written(make, log)
    }

    fn json_lines(log: impl FnOnce()) -> String {
        let make = |buffer: Buffer| json(parse_filter("info").unwrap(), move || buffer.clone());
        written(make, log)
    }

    const HOSTILE: &str = "x\n2026-01-01 INFO forged\u{1b}]0;t\u{7}\u{9b}2J\u{2028}\u{202e}\r\u{7f}";

    fn log_hostile() {
        let span = tracing::info_span!("call", agent = %HOSTILE);
        let _entered = span.enter();
        let source = io::Error::other(HOSTILE);
        tracing::info!(shown = %HOSTILE, debugged = ?HOSTILE, plain = HOSTILE, error = &source as &dyn std::error::Error, "said {HOSTILE}");
    }

    fn assert_one_clean_line(line: &str) {
        let line = line.strip_suffix('\n').unwrap();
        assert!(!line.contains(crate::printable::is_hostile), "{line:?}");
        assert_eq!(line.matches("forged").count(), 6, "{line}");
    }

    #[test]
    fn hostile_fields_stay_one_clean_line_of_text() {
        assert_one_clean_line(&text_lines(Colours::Never, log_hostile));
    }

    #[test]
    fn hostile_fields_stay_one_clean_line_of_json() {
        let line = json_lines(log_hostile);
        assert_one_clean_line(&line);
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["shown"], HOSTILE);
        assert_eq!(event["plain"], HOSTILE);
        assert_eq!(event["message"], format!("said {HOSTILE}"));
        assert_eq!(event["spans"][0]["agent"], HOSTILE);
        assert_eq!(event["level"], "INFO");
    }

    #[test]
    fn text_is_readable() {
        let line = text_lines(Colours::Never, || tracing::warn!(port = 8080, host = "h", "listening"));
        assert!(line.ends_with(" WARN telemetry::logs::tests: listening port=8080 host=\"h\"\n"), "{line}");
    }

    #[test]
    fn colours_are_written_only_when_wanted() {
        let log = || tracing::info!("hello");
        assert!(!text_lines(Colours::Never, log).contains('\u{1b}'));
        // `NO_COLOR` of whoever runs the tests decides the other case, so only the hostile part is checked there.
        let coloured = text_lines(Colours::UnlessRefused, || tracing::info!(agent = %"\u{1b}[2J", "hello"));
        assert!(!coloured.contains("\u{1b}[2J"), "{coloured:?}");
    }

    #[test]
    fn the_filter_decides_what_is_written() {
        let make = |buffer: Buffer| {
            text(parse_filter("warn,telemetry=info").unwrap(), Colours::Never, move || buffer.clone())
        };
        let lines = written(make, || {
            tracing::info!("ours");
            tracing::info!(target: "other", "theirs");
            tracing::debug!("detail");
        });
        assert!(lines.contains("ours") && !lines.contains("theirs") && !lines.contains("detail"), "{lines}");
    }

    #[test]
    fn a_bad_filter_is_named() {
        let error = parse_filter("gateway=loud").unwrap_err();
        assert!(matches!(&error, InitTracingError::Filter { filter, .. } if filter == "gateway=loud"));
        assert!(error.to_string().contains("gateway=loud"), "{error}");
    }

    #[test]
    fn format_names_are_exact() {
        assert_eq!("text".parse(), Ok(LogFormat::Text));
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!("JSON".parse::<LogFormat>(), Err(UnknownLogFormat));
    }
}
