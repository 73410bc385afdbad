//! The whole system on one machine.
//!
//! [`Stack`] starts the shipped Connect Server and Platform MCP Server beside a strict local stand-in for AWS, with the people,
//! roles and data of [`scenario`]. [`Browser`] and [`McpClient`] use it from outside as a person with an MCP client
//! would. [`tour`] walks every person through every cell of the table of who may do what.

mod browser;
pub mod cli;
mod client;
mod forms;
mod ports;
pub mod scenario;
mod snippets;
mod stack;
pub mod tour;

pub use browser::{Browser, BrowserError, Page};
pub use client::{ClientError, McpClient, SignedIn, ToolAnswer};
pub use ports::free_port;
pub use stack::{Stack, StackError};
