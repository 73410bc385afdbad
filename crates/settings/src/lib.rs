//! Configuration from a TOML file and the environment, with every problem reported at once.
//!
//! A program reads its settings once, at the start, through [`Section`]s: each accessor takes the key, says in words
//! what it expects, and records a [`Problem`] instead of stopping, so that an operator sees everything that is wrong in
//! one run, each with its place, what was found and what would be right. A key that no accessor asked for is a problem
//! too. A variable `PREFIX_SECTION_KEY` replaces `key` of `[section]`; it is written as plain text, or as TOML where
//! the setting is a list or a table.
//!
//! Secrets are never written in place. [`Section::secret`] takes a reference (`{ file = "…" }`, `{ env = "…" }` or
//! `{ secretsmanager = "arn:…" }`), and no problem repeats a secret's value.
//!
//! ```
//! let document = settings::Document::parse("port = 80\nprot = 81", "APP", [("APP_HOST", "db.internal")])?;
//! let problems = document
//!     .read(|root| {
//!         let port = root.or::<u16>("port", "a port number", 8080);
//!         let host = root.required::<String>("host", "a host name");
//!         Some((port?, host?))
//!     })
//!     .unwrap_err();
//! assert_eq!(problems.to_string(), "line 2: prot: found an unknown key, expected one of host, port");
//! # Ok::<(), settings::Problems>(())
//! ```

mod document;
mod duration;
mod node;
mod problem;
mod secret;
mod section;

pub use document::Document;
pub use duration::{InvalidSpan, Span};
pub use problem::{Problem, Problems};
pub use secret::{KeyReference, Secret};
pub use section::Section;
