//! Device codes in memory.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::{MemoryStore, Tables, remove};
use crate::{
    random::Digest,
    store::{
        Confirm, DeviceCode, DeviceState, DeviceStore, Grant, Interaction, RefreshToken, Stage, StoreError,
    },
};

impl Tables {
    fn device_in(&self, digest: &Digest, state: DeviceState) -> Option<&DeviceCode> {
        self.devices.get(digest).filter(|found| found.state == state)
    }

    fn set_device(&mut self, digest: &Digest, state: DeviceState) {
        if let Some(device) = self.devices.get_mut(digest) {
            device.state = state;
        }
    }
}

#[async_trait]
impl DeviceStore for MemoryStore {
    async fn insert_device(
        &self,
        device: &DeviceCode,
        capacity: u64,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let taken = tables.devices.values().any(|found| found.user_code == device.user_code);
        if taken || tables.devices.len() as u64 >= capacity {
            return Ok(false);
        }
        confirm()?;
        tables.devices.insert(device.digest, device.clone());
        Ok(true)
    }

    async fn device_by_user_code(&self, user_code: &Digest) -> Result<Option<DeviceCode>, StoreError> {
        Ok(self.tables().devices.values().find(|found| found.user_code == *user_code).cloned())
    }

    async fn device(&self, digest: &Digest) -> Result<Option<(DeviceCode, Option<Grant>)>, StoreError> {
        let tables = self.tables();
        Ok(tables.devices.get(digest).map(|found| {
            let grant = found.grant_id.as_ref().and_then(|id| tables.grants.get(id));
            (found.clone(), grant.cloned())
        }))
    }

    async fn note_poll(
        &self,
        digest: &Digest,
        seen: Option<SystemTime>,
        now: SystemTime,
        interval: Duration,
    ) -> Result<bool, StoreError> {
        match self.tables().devices.get_mut(digest).filter(|found| found.polled_at == seen) {
            Some(device) => {
                device.polled_at = Some(now);
                device.interval = interval;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn approve_device(
        &self,
        (id, cookie): (&str, &Digest),
        device: &Digest,
        grant: &Grant,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let ready = |found: &Interaction| found.stage == Stage::SignIn && found.expires_at > now;
        let waiting = tables.device_in(device, DeviceState::Waiting).is_some_and(|it| it.expires_at > now);
        if !waiting || !tables.interaction_is(id, cookie, ready) {
            return Ok(false);
        }
        confirm()?;
        tables.interactions.remove(id);
        tables.grants.insert(grant.id.clone(), grant.clone());
        tables.set_device(device, DeviceState::Approved);
        if let Some(device) = tables.devices.get_mut(device) {
            device.grant_id = Some(grant.id.clone());
        }
        if let Some(client) = tables.clients.get_mut(&grant.client_id) {
            client.first_used_at.get_or_insert(now);
        }
        Ok(true)
    }

    async fn deny_device(
        &self,
        (id, cookie): (&str, &Digest),
        device: &Digest,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let waiting = tables.device_in(device, DeviceState::Waiting).is_some();
        if !waiting || !tables.interaction_is(id, cookie, |_| true) {
            return Ok(false);
        }
        confirm()?;
        tables.interactions.remove(id);
        tables.set_device(device, DeviceState::Denied);
        Ok(true)
    }

    async fn redeem_device(
        &self,
        digest: &Digest,
        refresh_token: Option<&RefreshToken>,
        dpop_jkt: Option<&str>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let device = tables.device_in(digest, DeviceState::Approved).filter(|found| found.expires_at > now);
        let grant_id = device.and_then(|found| found.grant_id.clone());
        let Some(grant_id) = grant_id.filter(|id| tables.in_force(id, now)) else { return Ok(false) };
        confirm()?;
        tables.use_grant(&grant_id, dpop_jkt, now);
        tables.set_device(digest, DeviceState::Used);
        if let Some(token) = refresh_token {
            tables.refresh_tokens.insert(token.digest, token.clone());
        }
        Ok(true)
    }

    async fn prune_devices(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().devices, batch, |found| found.expires_at <= now))
    }
}
