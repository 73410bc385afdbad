//! Tokens without a browser: clients for themselves, workloads, the organisation's identity provider, and services for
//! whom they serve.

mod client_credentials;
mod identity_assertion;
mod setting;
mod token_exchange;
mod workload;
