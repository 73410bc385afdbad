//! Metrics: recorded through OpenTelemetry, read in the Prometheus text format.

use std::fmt;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

/// The metrics could not be set up or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The exporter could not be registered.
    #[error("the metrics exporter could not be registered: {reason}")]
    Exporter {
        /// What the exporter said.
        reason: String,
    },
    /// The gathered metrics could not be written as text.
    #[error("the metrics could not be written in the Prometheus text format: {reason}")]
    Encode {
        /// What the encoder said.
        reason: String,
    },
}

/// One registry of metrics; clones share it.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    // Held because instruments fall silent when their provider is dropped.
    provider: SdkMeterProvider,
    meter: Meter,
}

impl Metrics {
    /// An empty registry whose `target_info` names `service_name`.
    ///
    /// # Errors
    /// [`MetricsError::Exporter`] when the exporter cannot be registered.
    pub fn new(service_name: &'static str) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|error| MetricsError::Exporter { reason: error.to_string() })?;
        let resource = Resource::builder_empty().with_service_name(service_name).build();
        let provider = SdkMeterProvider::builder().with_reader(exporter).with_resource(resource).build();
        let meter = provider.meter(service_name);
        Ok(Self { registry, provider, meter })
    }

    /// The meter to build instruments on.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Every metric now, in the Prometheus text format 0.0.4.
    ///
    /// # Errors
    /// [`MetricsError::Encode`] when a metric cannot be expressed in that format.
    pub fn render(&self) -> Result<String, MetricsError> {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .map_err(|error| MetricsError::Encode { reason: error.to_string() })
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("provider", &self.provider).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use opentelemetry::KeyValue;

    #[test]
    fn instruments_are_rendered_with_their_labels_and_the_service() {
        let metrics = Metrics::new("connect-server").unwrap();
        let calls = metrics.meter().u64_counter("calls").with_description("Calls forwarded").build();
        calls.add(2, &[KeyValue::new("outcome", "allow")]);
        calls.add(1, &[KeyValue::new("outcome", "deny")]);
        let text = metrics.render().unwrap();
        for line in [
            "# HELP calls_total Calls forwarded",
            "# TYPE calls_total counter",
            "calls_total{outcome=\"allow\"} 2",
            "calls_total{outcome=\"deny\"} 1",
            "target_info{service_name=\"connect-server\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
    }

    #[test]
    fn instruments_outlive_the_handle_that_made_them() {
        let metrics = Metrics::new("s").unwrap();
        let gauge = metrics.clone().meter().u64_gauge("depth").build();
        gauge.record(7, &[]);
        assert!(metrics.render().unwrap().lines().any(|line| line == "depth 7"));
    }

    #[test]
    fn registries_are_apart() {
        let (one, other) = (Metrics::new("s").unwrap(), Metrics::new("s").unwrap());
        one.meter().u64_counter("only_here").build().add(1, &[]);
        assert!(!other.render().unwrap().contains("only_here"));
    }

    #[test]
    fn a_hostile_label_stays_one_line() {
        let metrics = Metrics::new("s").unwrap();
        metrics.meter().u64_counter("c").build().add(1, &[KeyValue::new("l", "a\"} 9\nforged 1")]);
        let text = metrics.render().unwrap();
        assert!(!text.lines().any(|line| line.starts_with("forged")), "{text}");
        assert!(text.contains(r#"c_total{l="a\"} 9\nforged 1"} 1"#), "{text}");
    }
}
