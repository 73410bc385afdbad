//! Setting up tracing for the process.

use telemetry::{InitTracingError, LogFormat, init_tracing};

// One test, because the subscriber is one for the process.
#[test]
fn a_bad_filter_sets_nothing_up_and_a_second_set_up_is_refused() {
    assert!(matches!(init_tracing(LogFormat::Text, Some("=loud=")), Err(InitTracingError::Filter { .. })));
    assert!(init_tracing(LogFormat::Json, None).is_ok());
    assert!(tracing::enabled!(tracing::Level::INFO));
    assert!(!tracing::enabled!(tracing::Level::DEBUG));
    assert!(matches!(init_tracing(LogFormat::Text, None), Err(InitTracingError::AlreadySet)));
}
