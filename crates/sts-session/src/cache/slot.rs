//! What is known about one request: the session at hand and the call under way. No I/O, no waiting under the lock.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::sync::watch;

use crate::{
    AssumeRoleError, AssumeRoleRequest, Misconfiguration, Misconfigured, SessionCredentials, UnavailableCause,
};

/// A throttled request is not sent again for this long.
const THROTTLE_PAUSE: Duration = Duration::from_secs(1);
/// After a failed early refresh the next attempt waits this long.
const REFRESH_PAUSE: Duration = Duration::from_secs(5);
/// A session is refreshed at the latest this long before it can no longer be handed out …
const REFRESH_BEFORE: Duration = Duration::from_mins(4);
/// … and at most this much earlier, so that sessions made together are not refreshed together.
const REFRESH_SPREAD: Duration = Duration::from_mins(5);

type Outcome = Result<Arc<SessionCredentials>, AssumeRoleError>;
/// Where the outcome of the call under way will appear.
pub(super) type Answer = watch::Receiver<Option<Outcome>>;
/// The right, and the duty, to make the call.
pub(super) type Flight = watch::Sender<Option<Outcome>>;

#[derive(Default)]
pub(super) struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    held: Option<Held>,
    under_way: Option<Answer>,
    throttled: Option<(SystemTime, AssumeRoleError)>,
}

struct Held {
    session: Arc<SessionCredentials>,
    refresh_from: SystemTime,
    usable_until: SystemTime,
}

/// What a caller has to do.
pub(super) enum Lookup {
    /// Use the session.
    Fresh(Arc<SessionCredentials>),
    /// Use the session and see that it is renewed meanwhile.
    Refresh(Arc<SessionCredentials>, Flight),
    /// Make the call and wait for it.
    Call(Flight, Answer),
    /// Wait for the call that another caller made.
    Wait(Answer),
    /// Give up for now.
    Failed(AssumeRoleError),
}

impl Slot {
    pub(super) fn look_up(&self, now: SystemTime) -> Lookup {
        let mut state = self.lock();
        // The receiver of a call whose task died without an outcome waits for nothing.
        let under_way = state.under_way.clone().filter(|answer| answer.has_changed().is_ok());
        let usable = state.held.as_ref().filter(|held| now < held.usable_until);
        if let Some(held) = usable {
            let session = Arc::clone(&held.session);
            if now < held.refresh_from || under_way.is_some() {
                return Lookup::Fresh(session);
            }
            return Lookup::Refresh(session, state.depart().0);
        }
        if let Some(answer) = under_way {
            return Lookup::Wait(answer);
        }
        match &state.throttled {
            Some((until, error)) if now < *until => Lookup::Failed(error.clone()),
            _ => {
                let (flight, answer) = state.depart();
                Lookup::Call(flight, answer)
            }
        }
    }

    /// Keeps the outcome of the call, then tells whoever waits.
    pub(super) fn land(
        &self,
        flight: &Flight,
        outcome: Result<SessionCredentials, AssumeRoleError>,
        request: &AssumeRoleRequest,
        now: SystemTime,
        min_remaining: Duration,
    ) {
        let outcome = outcome
            .and_then(|session| Held::new(session, now, min_remaining).ok_or_else(|| clock_skew(request)));
        let mut state = self.lock();
        state.under_way = None;
        state.throttled = None;
        let outcome = match outcome {
            Ok(held) => {
                let session = Arc::clone(&held.session);
                state.held = Some(held);
                Ok(session)
            }
            Err(error) => {
                state.failed(now, &error);
                Err(error)
            }
        };
        drop(state);
        // Nobody waits for an early refresh.
        let _ = flight.send(Some(outcome));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid after every statement above, so a panicking holder leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn depart(&mut self) -> (Flight, Answer) {
        let (flight, answer) = watch::channel(None);
        self.under_way = Some(answer.clone());
        (flight, answer)
    }

    fn failed(&mut self, now: SystemTime, error: &AssumeRoleError) {
        match error {
            // The permission is gone: so is the session made under it.
            AssumeRoleError::Denied(_) => self.held = None,
            AssumeRoleError::Throttled(_) => self.throttled = Some((now + THROTTLE_PAUSE, error.clone())),
            AssumeRoleError::Misconfigured(_) | AssumeRoleError::Unavailable(_) => {}
        }
        if let Some(held) = &mut self.held {
            held.refresh_from = now + REFRESH_PAUSE;
        }
    }
}

impl Held {
    /// `None` when the session ends too soon to be used at all.
    fn new(session: SessionCredentials, now: SystemTime, min_remaining: Duration) -> Option<Self> {
        let usable_until = session.expires_at().checked_sub(min_remaining)?;
        let usable_for = usable_until.duration_since(now).ok().filter(|left| !left.is_zero())?;
        // Short sessions are refreshed in their second half at the earliest.
        let early = (REFRESH_BEFORE + jitter(session.access_key_id())).min(usable_for / 2);
        Some(Self { session: Arc::new(session), refresh_from: usable_until - early, usable_until })
    }
}

/// A fraction of the spread that differs from session to session: access key ids are random.
fn jitter(access_key_id: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    access_key_id.hash(&mut hasher);
    REFRESH_SPREAD * u32::try_from(hasher.finish() % 1000).unwrap_or(0) / 1000
}

fn clock_skew(request: &AssumeRoleRequest) -> AssumeRoleError {
    AssumeRoleError::Misconfigured(Misconfigured {
        role_arn: request.role_arn.clone(),
        problem: Misconfiguration::ClockSkew,
        aws_request_id: None,
    })
}

/// Waits for the outcome of a call.
pub(super) async fn wait(mut answer: Answer, request: &AssumeRoleRequest) -> Outcome {
    match answer.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(outcome)) => outcome.clone(),
        // The task ended without an outcome: it panicked, or the runtime is shutting down.
        Ok(None) | Err(_) => {
            Err(AssumeRoleError::unavailable(&request.role_arn, UnavailableCause::Interrupted))
        }
    }
}
