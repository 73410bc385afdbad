//! One suite on every store.
