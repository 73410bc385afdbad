//! What runs beside the request path: refreshing the mapping, revocations and keys, and counting.

use std::{sync::Arc, time::Duration};

use audit::AuditLog;
use gateway::GatewayMetrics;
use oauth_server::OAuthServer;
use oidc_verify::JwksCache;
use role_mapper::MappingSnapshots;
use telemetry::Metrics;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use super::Clock;
use crate::cli::Chain;

/// How often the mapping is looked at: a change is in force within twice this time.
const MAPPING_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn spawn(
    tasks: &mut JoinSet<()>,
    oauth: &OAuthServer,
    mapping: Arc<MappingSnapshots>,
    remote_keys: Vec<JwksCache>,
    clock: &Clock,
) {
    tasks.spawn(oauth.clone().maintain());
    tasks.spawn(follow_mapping(mapping, Arc::clone(clock)));
    for keys in remote_keys {
        tasks.spawn(async move { keys.keep_fresh().await });
    }
}

async fn follow_mapping(mapping: Arc<MappingSnapshots>, clock: Clock) {
    let mut interval = tokio::time::interval(MAPPING_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut problem = None;
    loop {
        interval.tick().await;
        match mapping.refresh(clock()).await {
            Ok(changed) => {
                if problem.take().is_some() {
                    tracing::info!("the mapping is followed again");
                }
                if changed {
                    tracing::info!("the mapping changed");
                }
            }
            Err(error) => {
                // Every other problem of one outage is told once.
                let words = Chain(&error).to_string();
                if problem.as_ref() != Some(&words) {
                    tracing::error!("decisions go on from memory for a while: {words}");
                    problem = Some(words);
                }
            }
        }
    }
}

/// Makes the gateway's and the audit log's counters visible as metrics.
pub(super) fn observe(metrics: &Metrics, gateway: &Arc<GatewayMetrics>, audit: &AuditLog) {
    let meter = metrics.meter();
    let counters = Arc::clone(gateway);
    meter
        .u64_observable_counter("connect_decisions")
        .with_description("Calls to services, by outcome and reason")
        .with_callback(move |observer| {
            let now = counters.snapshot();
            observer.observe(now.allowed, &[opentelemetry::KeyValue::new("outcome", "allow")]);
            for (reason, count) in now.denied {
                let labels = [
                    opentelemetry::KeyValue::new("outcome", "deny"),
                    opentelemetry::KeyValue::new("reason", reason),
                ];
                observer.observe(count, &labels);
            }
        })
        .build();
    let counters = Arc::clone(gateway);
    meter
        .u64_observable_counter("connect_upstream_errors")
        .with_description("Allowed calls that a service did not answer, by reason")
        .with_callback(move |observer| {
            for (reason, count) in counters.snapshot().upstream_errors {
                observer.observe(count, &[opentelemetry::KeyValue::new("reason", reason)]);
            }
        })
        .build();
    let counters = Arc::clone(gateway);
    meter
        .u64_observable_counter("connect_decision_cache")
        .with_description("Decisions that were at hand, and that had to be made")
        .with_callback(move |observer| {
            let now = counters.snapshot();
            observer.observe(now.cache_hits, &[opentelemetry::KeyValue::new("result", "hit")]);
            observer.observe(now.cache_misses, &[opentelemetry::KeyValue::new("result", "miss")]);
        })
        .build();
    let counters = Arc::clone(gateway);
    meter
        .u64_observable_counter("connect_unrecorded_denials")
        .with_description("Refusals of callers without a token that were counted instead of audited")
        .with_callback(move |observer| observer.observe(counters.snapshot().unrecorded_denials, &[]))
        .build();
    let audit = audit.clone();
    meter
        .u64_observable_counter("connect_audit_lost")
        .with_description(
            "Audit events that could not be recorded; what they would have recorded was refused",
        )
        .with_callback(move |observer| observer.observe(audit.lost(), &[]))
        .build();
}
