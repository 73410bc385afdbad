//! Which redirect URIs may receive an authorization code: one list, checked by two readings of the same URI.
//!
//! An operator lists, separated by commas, where codes may go ([`AllowedHosts`]). [`RedirectPolicy::check`] turns a
//! redirect URI that is covered into an [`AllowedRedirect`], which code that sends a browser somewhere takes
//! instead of a string. An empty list covers nothing.
//!
//! | Entry | Covers |
//! |---|---|
//! | `claude.ai` | `https://claude.ai/…`, the default port only |
//! | `.benchling.com` | `https://<one or more labels>.benchling.com/…`, the default port only, not `benchling.com` |
//! | `cursor://` | `cursor://<any host>/…`, and `cursor:/…` as RFC 8252 section 7.1 writes it |
//! | `localhost`, `127.0.0.1` | either covers `http://localhost:<any>/…` and `http://127.0.0.1:<any>/…`, not https |
//! | `[::1]` | `http://[::1]:<any>/…` |
//!
//! Entries are compared without regard to case and may end in one dot. What cannot be an entry is left out and
//! reported as an [`IgnoredEntry`]; the other entries still count.
//!
//! ```
//! use connect_hosts::{AllowedHosts, RedirectDenied, RedirectPolicy};
//!
//! let (hosts, ignored) = AllowedHosts::parse("claude.ai, .benchling.com, cursor://, localhost, http://");
//! assert_eq!(ignored.len(), 1);
//! assert_eq!(ignored[0].position, 5);
//!
//! let policy = RedirectPolicy::new(hosts);
//! let registered = policy.check("http://localhost/callback")?;
//! let requested = policy.check("http://localhost:51234/callback")?;
//! assert!(registered.matches(&requested));
//! assert_eq!(
//!     requested.with_query(&[("code", "a b"), ("state", "1")]),
//!     "http://localhost:51234/callback?code=a+b&state=1",
//! );
//!
//! assert_eq!(policy.check(r"https://evil.example\@claude.ai/"), Err(RedirectDenied::Character));
//! assert_eq!(policy.check("https://claude.ai.evil.example/"), Err(RedirectDenied::NotListed));
//! # Ok::<(), RedirectDenied>(())
//! ```
//!
//! # What it does not decide
//! Whether a client may use a redirect at all: that it registered it, and that the one it asks for is the
//! registered one ([`AllowedRedirect::matches`]), is for the authorization server to ask. A public suffix such as
//! `.co.uk` is an entry like any other of two labels.
//!
//! # Threats
//! * *A URI that a browser reads differently from us* (SEC-3): first a strict grammar in ASCII, then the WHATWG
//!   parser, which browsers follow, and one for RFC 3986 must find the same scheme, host, port, path and query;
//!   then the string as it came is what is used, never one that a parser wrote.
//! * *A host that only looks listed*: names are compared whole, label by label; nothing is a prefix, suffix or
//!   substring match. Numbers that some read as an IPv4 address are no host names, in entries as in redirects.
//! * *A scheme that runs something here* (SEC-5): `javascript`, `data` and their like, all network schemes and
//!   `ms-*` cannot be listed.
//! * *An answer mixed with what was there before* (SEC-4): a redirect with userinfo, a fragment, dot segments, an
//!   encoded control character or a parameter of the authorization response is refused.
//! * *Another program on the user's machine* can listen on a loopback port or claim a custom scheme (RFC 8252
//!   section 8.6). PKCE and the warning on the consent page answer that; [`AllowedRedirect::is_loopback`] says when
//!   to warn.

mod agreement;
mod grammar;
mod hosts;
mod policy;
mod redirect;
mod scheme;

pub use hosts::{AllowedHosts, IgnoredEntry, IgnoredReason};
pub use policy::{MAX_REDIRECT, RedirectDenied, RedirectPolicy};
pub use redirect::AllowedRedirect;
