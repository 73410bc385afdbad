//! Failures on command.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::answer::ApiError;
use crate::sigv4::Service;

/// Something that goes wrong for a number of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The API operation, such as `sts:AssumeRole` or `s3:ListObjectsV2`; `sts:*` and `s3:*` mean any of a service.
    pub operation: String,
    /// How many calls it hits.
    pub times: u32,
    /// What happens to them.
    pub effect: FaultEffect,
}

/// What a fault does to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultEffect {
    /// Answers `Throttling` (STS) or `SlowDown` (S3).
    Throttle,
    /// Answers `AccessDenied`.
    Deny,
    /// Answers `ServiceUnavailable`.
    Unavailable,
    /// Answers `InternalFailure` (STS) or `InternalError` (S3).
    Internal,
    /// Answers `ExpiredToken`.
    ExpiredToken,
    /// Answers `RegionDisabledException`.
    RegionDisabled,
    /// Answers `PackedPolicyTooLarge`.
    PackedPolicyTooLarge,
    /// Waits this many milliseconds and then goes on as usual.
    DelayMillis(u64),
}

/// The faults that are still to happen, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<VecDeque<Fault>>);

impl Faults {
    pub(crate) fn arm(&self, fault: Fault) {
        self.lock().push_back(fault);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Lets the oldest fault for this operation happen, if there is one.
    pub(crate) async fn strike(&self, service: Service, operation: &str) -> Result<(), ApiError> {
        let effect = self.take(service, operation);
        let Some(effect) = effect else { return Ok(()) };
        tracing::debug!(service = service.as_str(), operation, ?effect, "commanded fault");
        if let FaultEffect::DelayMillis(millis) = effect {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            return Ok(());
        }
        Err(error(service, &effect))
    }

    fn take(&self, service: Service, operation: &str) -> Option<FaultEffect> {
        let exact = format!("{}:{operation}", service.as_str());
        let any = format!("{}:*", service.as_str());
        let mut faults = self.lock();
        faults.retain(|fault| fault.times > 0);
        let fault = faults.iter_mut().find(|fault| fault.operation == exact || fault.operation == any)?;
        fault.times -= 1;
        Some(fault.effect.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn error(service: Service, effect: &FaultEffect) -> ApiError {
    let sts = service == Service::Sts;
    match effect {
        FaultEffect::Throttle if sts => ApiError::new(400, "Throttling", "Rate exceeded"),
        FaultEffect::Throttle => ApiError::new(503, "SlowDown", "Please reduce your request rate."),
        FaultEffect::Deny => ApiError::new(403, "AccessDenied", "Access Denied"),
        FaultEffect::Unavailable => {
            ApiError::new(503, "ServiceUnavailable", "Service is unable to handle request.")
        }
        FaultEffect::ExpiredToken if sts => {
            ApiError::new(403, "ExpiredToken", "The security token included in the request is expired")
        }
        FaultEffect::ExpiredToken => ApiError::new(400, "ExpiredToken", "The provided token has expired."),
        FaultEffect::RegionDisabled => {
            let message = "STS is not activated in this region for account. Your account administrator can activate \
                           STS in this region using the IAM Console.";
            ApiError::new(403, "RegionDisabledException", message)
        }
        FaultEffect::PackedPolicyTooLarge => {
            let message = "Packed policy consumes 101% of allotted space, please use smaller policy.";
            ApiError::new(400, "PackedPolicyTooLarge", message)
        }
        FaultEffect::Internal | FaultEffect::DelayMillis(_) => {
            let code = if sts { "InternalFailure" } else { "InternalError" };
            ApiError::new(500, code, "We encountered an internal error. Please try again.")
        }
    }
}
