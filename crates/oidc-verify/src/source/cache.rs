//! An issuer's published keys, kept in memory.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::fetch::{FETCH_TIMEOUT, FetchClient, JwksLocation, Location, fetch};
use super::{Clock, KEY_MAX_AGE, SelectedKey};
use crate::algorithm::Algorithm;
use crate::config::ConfigError;
use crate::error::{FetchProblem, KeysUnavailable, Rejected, VerifyError};
use crate::keys::{KeySet, RefusedKey};

/// Keys of this age are read again in the background, well before they must be.
const REFRESH_AFTER: Duration = Duration::from_mins(4);

/// How often the background task looks whether keys have that age.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Keys of this age are no longer used, even if their source does not answer.
const UNUSABLE_AFTER: Duration = Duration::from_hours(1);

/// The shortest time from one reading to the next while there are usable keys (SEC-28).
const BETWEEN_FETCHES: Duration = Duration::from_secs(30);

/// The shortest time from one reading to the next while there are none, so that recovery is quick.
const BETWEEN_FIRST_FETCHES: Duration = Duration::from_secs(5);

/// The keys that an issuer publishes, read when needed; clones share them.
///
/// Keys are read by one task at a time, however many callers wait, and by a task of its own, so that no caller can
/// cancel a reading by going away. Keys up to [`KEY_MAX_AGE`] old are used as they are; older ones are read again first,
/// and used for up to an hour if that fails. A `kid` that is not among them leads to at most one reading in 30 seconds.
/// [`keep_fresh`](Self::keep_fresh), run beside the request path, makes requests wait for none of this.
#[derive(Clone)]
pub struct JwksCache {
    shared: Arc<Shared>,
}

struct Shared {
    client: FetchClient,
    location: Location,
    clock: Clock,
    current: ArcSwapOption<Fetched>,
    flight: Mutex<Flight>,
}

struct Fetched {
    keys: KeySet,
    at: SystemTime,
}

/// The latest reading.
struct Flight {
    started_at: Option<SystemTime>,
    /// Closed once the reading is over.
    landed: watch::Receiver<()>,
    /// Why it failed, if it did.
    problem: Option<FetchProblem>,
}

impl JwksCache {
    /// The keys at `location`, which are not read yet.
    ///
    /// # Errors
    /// [`ConfigError`] when `location` is not on HTTPS, nor on loopback.
    pub fn new(client: FetchClient, location: JwksLocation, clock: Clock) -> Result<Self, ConfigError> {
        let flight =
            Flight { started_at: None, landed: watch::channel(()).1, problem: Some(FetchProblem::NotTried) };
        Ok(Self {
            shared: Arc::new(Shared {
                client,
                location: location.try_into()?,
                clock,
                current: ArcSwapOption::empty(),
                flight: Mutex::new(flight),
            }),
        })
    }

    /// Reads the keys if they are due, and says whether there are usable ones.
    ///
    /// # Errors
    /// [`KeysUnavailable`] when there are none, with the reason of the latest attempt.
    pub async fn refresh_if_due(&self) -> Result<(), KeysUnavailable> {
        if self.age().is_none_or(|age| age >= REFRESH_AFTER) {
            self.refresh().await;
        }
        self.usable().map(drop).ok_or_else(|| self.unavailable())
    }

    /// Keeps the keys fresh for as long as the future is polled. Needs a Tokio runtime.
    pub async fn keep_fresh(&self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            // A failure is logged where it happens and kept for whoever asks.
            let _ = self.refresh_if_due().await;
        }
    }

    /// Whether there are usable keys now, for a readiness check.
    ///
    /// # Errors
    /// [`KeysUnavailable`] with the reason of the latest attempt.
    pub fn check_ready(&self) -> Result<(), KeysUnavailable> {
        self.usable().map(drop).ok_or_else(|| self.unavailable())
    }

    pub(super) async fn select(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<SelectedKey, VerifyError> {
        let fresh = self.age().is_some_and(|age| age < KEY_MAX_AGE);
        match self.select_current(key_id, algorithm) {
            Err(VerifyError::Rejected(Rejected::UnknownKey) | VerifyError::KeysUnavailable(_)) => {}
            decided if fresh => return decided,
            // The source is known not to answer: ask it again, but let nobody wait for that.
            decided if self.latest_failed() => {
                self.start_or_join();
                return decided;
            }
            _ => {}
        }
        self.refresh().await;
        match self.select_current(key_id, algorithm) {
            // The issuer may have published this key since, but does not answer: nobody can say now.
            Err(VerifyError::Rejected(Rejected::UnknownKey)) if self.latest_failed() => {
                Err(self.unavailable().into())
            }
            decided => decided,
        }
    }

    fn select_current(&self, key_id: Option<&str>, algorithm: Algorithm) -> Result<SelectedKey, VerifyError> {
        let fetched = self.usable().ok_or_else(|| self.unavailable())?;
        let key = fetched.keys.select(key_id, algorithm)?;
        // While the source does not answer, look again as often as it is asked.
        let good_until = (fetched.at + KEY_MAX_AGE).max(self.now() + BETWEEN_FETCHES);
        Ok(SelectedKey { key, good_until })
    }

    /// Reads the keys, or waits for the reading under way; does nothing when the latest one is too recent.
    async fn refresh(&self) {
        if let Some(mut landed) = self.start_or_join() {
            // An error is the end of the reading, however it ended.
            while landed.changed().await.is_ok() {}
        }
    }

    fn start_or_join(&self) -> Option<watch::Receiver<()>> {
        let now = self.now();
        let pause = if self.usable().is_some() { BETWEEN_FETCHES } else { BETWEEN_FIRST_FETCHES };
        let mut flight = self.shared.flight.lock().unwrap_or_else(PoisonError::into_inner);
        if flight.landed.has_changed().is_ok() {
            return Some(flight.landed.clone());
        }
        // A clock that was set back must not forbid reading until it has caught up.
        let recent = flight.started_at.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < pause));
        if recent {
            return None;
        }
        let (landing, landed) = watch::channel(());
        flight.started_at = Some(now);
        flight.landed = landed.clone();
        let this = self.clone();
        tokio::spawn(async move {
            this.read().await;
            drop(landing);
        });
        Some(landed)
    }

    async fn read(&self) {
        // Taken before, so that a key removed meanwhile is not believed longer than allowed.
        let at = self.now();
        let outcome = fetch(&self.shared.client, &self.shared.location, FETCH_TIMEOUT).await;
        let problem = match outcome {
            Ok(keys) => {
                self.report_refused(keys.refused());
                self.shared.current.store(Some(Arc::new(Fetched { keys, at })));
                None
            }
            Err(problem) => {
                tracing::warn!(location = self.shared.location.as_str(), %problem, "signing keys could not be read");
                Some(problem)
            }
        };
        self.shared.flight.lock().unwrap_or_else(PoisonError::into_inner).problem = problem;
    }

    /// Names keys that were not admitted, once for each change.
    fn report_refused(&self, refused: &[RefusedKey]) {
        let known = self.shared.current.load();
        if known.as_ref().is_some_and(|known| known.keys.refused() == refused) {
            return;
        }
        for key in refused {
            tracing::warn!(location = self.shared.location.as_str(), %key, "a published key was not admitted");
        }
    }

    fn now(&self) -> SystemTime {
        (self.shared.clock)()
    }

    /// The age of the keys, if there are any and the clock was not set back since they were read.
    fn age(&self) -> Option<Duration> {
        self.shared.current.load().as_ref().and_then(|fetched| self.now().duration_since(fetched.at).ok())
    }

    fn usable(&self) -> Option<Arc<Fetched>> {
        let fetched = self.shared.current.load_full()?;
        // Keys from the future, after the clock was set back, are as good as old ones: read again, used meanwhile.
        let age = self.now().duration_since(fetched.at).unwrap_or(KEY_MAX_AGE);
        (age < UNUSABLE_AFTER).then_some(fetched)
    }

    fn latest_failed(&self) -> bool {
        self.shared.flight.lock().unwrap_or_else(PoisonError::into_inner).problem.is_some()
    }

    fn unavailable(&self) -> KeysUnavailable {
        let flight = self.shared.flight.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = flight.problem.clone().unwrap_or(FetchProblem::NotTried);
        KeysUnavailable { location: self.shared.location.as_str().to_owned(), problem }
    }
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksCache").field("location", &self.shared.location).finish_non_exhaustive()
    }
}
