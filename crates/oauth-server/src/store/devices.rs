//! Device codes (RFC 8628): sign-ins that are begun on one device and finished on another.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::{Confirm, Grant, RefreshToken, StoreError};
use crate::random::Digest;

/// Keeps device codes.
#[async_trait]
pub trait DeviceStore: Send + Sync + 'static {
    /// Keeps a new device code, unless `capacity` of them are kept already or its user code is taken. Gives whether it was
    /// kept.
    async fn insert_device(
        &self,
        device: &DeviceCode,
        capacity: u64,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// The device code that this user code stands for, whatever its state.
    async fn device_by_user_code(&self, user_code: &Digest) -> Result<Option<DeviceCode>, StoreError>;

    /// The device code with this digest, and its grant once it is approved.
    async fn device(&self, digest: &Digest) -> Result<Option<(DeviceCode, Option<Grant>)>, StoreError>;

    /// Notes that the client asked, and how long it has to wait from now on. Gives false when another request was noted
    /// since `seen`, the last one as the caller read it.
    async fn note_poll(
        &self,
        digest: &Digest,
        seen: Option<SystemTime>,
        now: SystemTime,
        interval: Duration,
    ) -> Result<bool, StoreError>;

    /// Exchanges an unexpired interaction in the sign-in stage for a grant, which the waiting, unexpired device code then
    /// stands for, and marks the client as used. Only the first of several calls does so.
    async fn approve_device(
        &self,
        interaction: (&str, &Digest),
        device: &Digest,
        grant: &Grant,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Forgets an interaction and ends the waiting device code that it is for. Only the first of several calls does so.
    async fn deny_device(
        &self,
        interaction: (&str, &Digest),
        device: &Digest,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Uses up an approved, unexpired device code of an unrevoked grant and keeps the refresh token issued for it, if one
    /// is. Only the first of several calls does so.
    async fn redeem_device(
        &self,
        digest: &Digest,
        refresh_token: Option<&RefreshToken>,
        dpop_jkt: Option<&str>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Deletes at most `batch` device codes that are over at `now`. Gives how many.
    async fn prune_devices(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// How far a device code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// Nobody has decided.
    Waiting,
    /// A person allowed it and signed in.
    Approved,
    /// A person said no.
    Denied,
    /// The client got its tokens.
    Used,
}

/// A device code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// The digest of the code that the client holds.
    pub digest: Digest,
    /// The keyed digest of the code that the person types.
    pub user_code: Digest,
    /// The client that asked.
    pub client_id: String,
    /// The canonical resource.
    pub resource: String,
    /// The scopes that will be granted, separated by spaces.
    pub scope: String,
    /// The address that asked, for the person to see.
    pub requester: Option<String>,
    /// How far it is.
    pub state: DeviceState,
    /// What it was approved for.
    pub grant_id: Option<String>,
    /// How long the client has to wait between two requests.
    pub interval: Duration,
    /// When the client last asked.
    pub polled_at: Option<SystemTime>,
    /// When it is over.
    pub expires_at: SystemTime,
}
