//! Fetches one small document from a public https address, and never from an internal one.
//!
//! Somebody unknown names a URL and this server is to read it: client metadata, a key set. [`PublicFetch`] resolves the
//! host, checks every address with [`is_public`] and connects to an address that it checked. What arrives is a
//! [`Document`]: at most so many bytes of JSON, and for how long they may be kept.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use public_fetch::{FetchError, FetchLimits, PublicFetch, WhyNot, is_public};
//!
//! assert_eq!(is_public("169.254.170.2".parse()?), Err(WhyNot::LinkLocal));
//! assert_eq!(is_public("1.1.1.1".parse()?), Ok(()));
//!
//! let fetch = PublicFetch::builder().build()?;
//! let limits = FetchLimits {
//!     max_bytes: 5 * 1024,
//!     total: Duration::from_secs(5),
//!     idle: Duration::from_secs(2),
//!     lifetime: Duration::from_mins(5)..=Duration::from_hours(24),
//! };
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let metadata = "https://169.254.170.2/v2/credentials".parse()?;
//! let refused = fetch.fetch(&metadata, &limits, SystemTime::UNIX_EPOCH).await.unwrap_err();
//! assert_eq!(refused, FetchError::NotPublic(WhyNot::LinkLocal));
//! assert_eq!(refused.reason(), "address_not_public");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does not decide
//! Whether this URL may be asked at all, how often, and what the document must hold: that is for the caller. It keeps
//! nothing, so a caller that honours [`Document::lifetime`] needs a cache.
//!
//! # Threats
//! * *An internal address behind a public name* (SEC-41): each answer of the resolver is checked, one that is not public
//!   refuses all, and the connection uses the checked answers themselves. Nothing is resolved a second time, so a name
//!   that changes its answer gains nothing. No connection is kept for a later fetch, so each fetch is checked.
//! * *An internal address in the URL*: addresses written in any way that the WHATWG parser understands (`127.1`,
//!   `0x7f000001`) are checked too.
//! * *A way around the check*: redirects are refused, proxies of the environment are not used, and a user name in the
//!   URL, which would become a credential, is refused.
//! * *A server that wastes our time and memory*: one limit on the whole, one on each wait, one on the bytes; a
//!   compressed answer is refused, so few bytes cannot become many. At most [`MAX_LOOKUPS`] names are being looked up at
//!   one time.
//! * *Learning what is inside from the answer*: [`FetchError`] says more than a stranger should know. It is for logs;
//!   tell the stranger only that the document could not be had.

mod address;
mod error;
mod fetch;
mod freshness;
mod resolve;

pub use address::{WhyNot, is_public};
pub use error::{FetchError, SetupError};
pub use fetch::{Document, Fetch, FetchLimits, PublicFetch, PublicFetchBuilder};
pub use resolve::{MAX_LOOKUPS, Resolver, SystemResolver};
