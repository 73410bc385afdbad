//! Checking a password of the static list: how often, how many at once, and where.
//!
//! Each name may be tried a few times a minute, and all names together somewhat more often; hashing a password takes
//! memory and time on purpose, so only a few are hashed at once. Nothing here grows, nothing tells a name that exists from
//! one that does not, and whoever was kept out is let in again as soon as the guessing stops.

use std::{num::NonZeroU32, sync::Arc};

use limits::{Limited, RateLimit};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    identity::{Identity, IdentitySource},
    rates::RateByName,
};

/// As many characters as the page lets a person type.
const MAX_USERNAME: usize = 200;
const MAX_PASSWORD: usize = 1000;

/// Attempts with one name: at once, and a minute.
const BY_NAME: (NonZeroU32, NonZeroU32) = (NonZeroU32::new(10).unwrap(), NonZeroU32::new(10).unwrap());

/// Attempts with any name: at once, and a minute.
const BY_ALL: (NonZeroU32, NonZeroU32) = (NonZeroU32::new(60).unwrap(), NonZeroU32::new(300).unwrap());

/// Passwords hashed at once: each takes up to 256 MiB, by default 19 MiB.
const AT_ONCE: usize = 4;

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such user with this password.
    Wrong,
    /// It was not looked at.
    TooOften(Limited),
}

/// The attempts of this process.
pub(crate) struct PasswordCheck {
    by_name: RateByName,
    by_all: RateLimit,
    hashing: Arc<Semaphore>,
}

impl PasswordCheck {
    pub(crate) fn new() -> Self {
        let ((burst_by_name, by_name), (burst_by_all, by_all)) = (BY_NAME, BY_ALL);
        Self {
            by_name: RateByName::new(by_name, burst_by_name),
            by_all: RateLimit::new(by_all, burst_by_all),
            hashing: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The person whose name and password these are.
    pub(crate) async fn verify(
        &self,
        source: &Arc<IdentitySource>,
        username: &str,
        password: SecretString,
    ) -> Result<Identity, Refused> {
        let turn = self.turn(username).await.map_err(Refused::TooOften)?;
        let longer = |text: &str, max| text.chars().nth(max).is_some();
        if longer(username, MAX_USERNAME) || longer(password.expose_secret(), MAX_PASSWORD) {
            return Err(Refused::Wrong);
        }
        let (source, username) = (Arc::clone(source), username.to_owned());
        // Not on a thread that serves others. The turn lasts until the work is done, even if nobody waits for it any more.
        let verified = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            match source.as_ref() {
                IdentitySource::Static(users) => users.verify(&username, &password),
                IdentitySource::Oidc(_) => None,
            }
        });
        verified.await.ok().flatten().ok_or(Refused::Wrong)
    }

    async fn turn(&self, username: &str) -> Result<Option<OwnedSemaphorePermit>, Limited> {
        self.by_name.check(username)?;
        self.by_all.check()?;
        // It is never closed.
        Ok(Arc::clone(&self.hashing).acquire_owned().await.ok())
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, PasswordCheck};

    #[tokio::test]
    async fn one_name_is_slowed_before_all_are() {
        let check = PasswordCheck::new();
        let mut passed = 0;
        while check.turn("ada").await.is_ok() {
            passed += 1;
        }
        assert!((10..20).contains(&passed), "{passed}");
        assert!(check.turn("ben").await.is_ok());
        let others = 0..1000;
        let mut passed = 0;
        for other in others {
            passed += usize::from(check.turn(&format!("nobody {other}")).await.is_ok());
        }
        assert!((40..100).contains(&passed), "{passed}");
        let limited = check.turn("ben").await.unwrap_err();
        assert!(limited.retry_after_seconds() <= 6, "{limited}");
    }

    #[tokio::test]
    async fn only_a_few_passwords_are_hashed_at_once() {
        let check = PasswordCheck::new();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(check.turn("ada").await.unwrap().unwrap());
        }
        assert_eq!(check.hashing.available_permits(), 0);
        drop(turns);
        assert_eq!(check.hashing.available_permits(), AT_ONCE);
    }
}
