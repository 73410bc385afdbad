//! The built programs, started as an operator starts them: from a configuration file, as processes of their own, on
//! free loopback ports, with their files in a temporary folder. Everything stops when the [`System`] is dropped.
#![expect(clippy::panic, reason = "a set-up that fails fails the test that needs it")]

mod lone;
mod node;
mod program;
mod python;
mod system;

pub use lone::Lone;
pub use node::{IdentityProvider, node_script};
pub use program::{Program, binary};
pub use python::DjangoProvider;
pub use system::{Change, Options, System, free_port, merge};
