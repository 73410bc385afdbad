//! What the binaries set up once: log lines, metrics, the private health routes and the wall clock.
//!
//! [`init_tracing`] installs the process-wide subscriber, [`Metrics`] is an OpenTelemetry meter read in the Prometheus
//! text format, [`PrivateRoutes`] is the router of the private listener, [`system_clock`] is the one place where the
//! wall clock is read. Libraries of this workspace never call these: they log through `tracing`, take a
//! `Meter` and take a clock as a parameter.
//!
//! ```
//! use telemetry::{Metrics, PrivateRoutes};
//!
//! let metrics = Metrics::new("connect-server")?;
//! let calls = metrics.meter().u64_counter("calls").with_description("Calls forwarded").build();
//! calls.add(1, &[]);
//! assert!(metrics.render()?.contains("calls_total"));
//!
//! let router = PrivateRoutes::new(metrics)
//!     .readiness(|| vec![("store".to_owned(), Ok(()))])
//!     .into_router();
//! # let _ = router;
//! # Ok::<(), telemetry::MetricsError>(())
//! ```
//!
//! # Threats
//! * *Log injection* (SEC-54): whatever a field holds, one event is one line and no control character, line separator
//!   or bidirectional control reaches the terminal or the file unescaped.
//! * *Disclosure*: the routes carry no authentication, so they belong on the private listener and nowhere else.

mod clock;
mod logs;
mod metrics;
mod printable;
mod routes;

pub use clock::system_clock;
pub use logs::{InitTracingError, LogFormat, UnknownLogFormat, init_tracing};
pub use metrics::{Metrics, MetricsError};
pub use routes::{Conditions, PrivateRoutes};
