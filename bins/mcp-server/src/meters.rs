//! What is counted.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

/// The counters of the server. Labels are this program's own words, never the callers'.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    refused: Counter<u64>,
    assumptions: Counter<u64>,
    tools: Counter<u64>,
}

impl Meters {
    pub(crate) fn new(meter: &Meter) -> Self {
        let counter = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        Self {
            refused: counter("mcp_requests_refused", "Requests refused before they reached a tool"),
            assumptions: counter("mcp_role_assumptions", "Calls of AssumeRole"),
            tools: counter("mcp_tool_calls", "Tool calls"),
        }
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.add(1, &[KeyValue::new("reason", reason)]);
    }

    pub(crate) fn assumed(&self, result: &'static str) {
        self.assumptions.add(1, &[KeyValue::new("result", result)]);
    }

    pub(crate) fn tool(&self, tool: &str, result: &'static str) {
        self.tools.add(1, &[KeyValue::new("tool", tool.to_owned()), KeyValue::new("result", result)]);
    }
}
