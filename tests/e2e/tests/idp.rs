//! Sign-in at a real OpenID Connect provider, through the built programs.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed set-up fails the test"
)]

#[path = "idp/attempt.rs"]
mod attempt;
#[path = "idp/callbacks.rs"]
mod callbacks;
#[path = "idp/django.rs"]
mod django;
#[path = "idp/home_realm.rs"]
mod home_realm;
#[path = "idp/outages.rs"]
mod outages;
#[path = "idp/people.rs"]
mod people;
#[path = "idp/refusals.rs"]
mod refusals;
#[path = "idp/setting.rs"]
mod setting;
#[path = "idp/strict.rs"]
mod strict;
