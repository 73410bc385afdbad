//! Asking the identity provider again whether a person may still sign in.
//!
//! A provider that is configured so gives this server a refresh token at sign-in. It is kept sealed and presented whenever
//! a client refreshes, so that a person who was disabled there loses access at the next refresh at the latest, and roles
//! follow changed claims. When the provider does not answer, nothing is issued.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock::before,
    error::Unavailable,
    identity::{Identity, IdentitySource, OidcUpstream, UpstreamError},
    seal::{SealError, Sealer as _},
    server::Server,
    store::{Grant, UpstreamCheck, UpstreamToken},
};

const PURPOSE: &str = "upstream refresh token";

/// How long an answer counts for the requests that come at the same time as the one that asked, and for those that repeat
/// it: as long as the default [`ReplayWindow`](crate::ReplayWindow).
const RECENT: Duration = Duration::from_secs(30);

/// Whoever asked longer ago than this will not come back with an answer.
const LOST: Duration = Duration::from_mins(2);

/// How often it is looked whether somebody else's question has its answer, and how many times.
const PAUSE: Duration = Duration::from_millis(100);
const LOOKS: u32 = 100;

/// Why a grant does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RecheckError {
    /// The provider says no, or there is nothing to ask it with.
    #[error("the identity provider does not let the person in any more")]
    Refused(#[source] Option<UpstreamError>),
    /// There is no answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Keeps what a sign-in gave to ask again with.
pub(crate) async fn keep(
    server: &Server,
    grant: &Grant,
    refresh_token: Option<&SecretString>,
) -> Result<(), Unavailable> {
    let Some(token) = refresh_token else { return Ok(()) };
    let token = UpstreamToken {
        grant_id: grant.id.clone(),
        sealed: seal(server, grant, token).await?,
        checked_at: grant.authenticated_at,
        asked_at: None,
        expires_at: grant.expires_at,
    };
    Ok(server.store.insert_upstream_token(&token).await?)
}

/// Whether the person behind a grant may still sign in. Gives who they are by now, if that was said. After a refusal
/// everybody else waits until the caller has ended the grant and calls [`abandon`].
///
/// A caller that goes away in the middle takes the question with it, and everybody else waits: call it in a task of its
/// own.
pub(crate) async fn check(server: &Server, grant: &Grant) -> Result<Option<Identity>, RecheckError> {
    let Some(source) = rechecking(server, &grant.identity_source) else { return Ok(None) };
    let IdentitySource::Oidc(upstream) = source.as_ref() else { return Ok(None) };
    for _ in 0..LOOKS {
        let now = server.now();
        let (due, lost) = (before(now, RECENT), before(now, LOST));
        let begun = server.store.begin_upstream_check(&grant.id, due, lost, now).await;
        match begun.map_err(Unavailable::from)? {
            UpstreamCheck::Ask(sealed) => {
                let answered = ask(server, grant, upstream, &sealed).await;
                if matches!(answered, Err(RecheckError::Unavailable(_))) {
                    abandon(server, grant).await?;
                }
                return answered;
            }
            UpstreamCheck::Recent => return Ok(None),
            UpstreamCheck::Unknown => return Err(RecheckError::Refused(None)),
            // That somebody asks is no answer.
            UpstreamCheck::Asking => tokio::time::sleep(PAUSE).await,
        }
    }
    Err(Unavailable::TooSlow.into())
}

/// Lets the next one ask at once, after a question that had no good answer.
pub(crate) async fn abandon(server: &Server, grant: &Grant) -> Result<(), Unavailable> {
    Ok(server.store.abandon_upstream_check(&grant.id).await?)
}

async fn ask(
    server: &Server,
    grant: &Grant,
    upstream: &OidcUpstream,
    sealed: &[u8],
) -> Result<Option<Identity>, RecheckError> {
    let Some(token) = open(server, grant, sealed).await? else { return Err(RecheckError::Refused(None)) };
    let answer = upstream.recheck(&token, &grant.identity.subject, server.now()).await;
    let answer = answer.map_err(|error| {
        if error.is_refused() { RecheckError::Refused(Some(error)) } else { Unavailable::from(error).into() }
    })?;
    let next = answer.refresh_token.as_ref().unwrap_or(&token);
    let sealed = seal(server, grant, next).await?;
    let kept = server.store.finish_upstream_check(&grant.id, &sealed, answer.identity.as_ref()).await;
    kept.map_err(Unavailable::from)?;
    Ok(answer.identity)
}

pub(crate) fn rechecking<'a>(server: &'a Server, source: &str) -> Option<&'a Arc<IdentitySource>> {
    let found = server.identity_sources.iter().find(|found| found.id() == source)?;
    matches!(found.as_ref(), IdentitySource::Oidc(upstream) if upstream.rechecks()).then_some(found)
}

async fn seal(server: &Server, grant: &Grant, token: &SecretString) -> Result<Vec<u8>, Unavailable> {
    let sealer = server.secret.sealer(PURPOSE).map_err(|_| SealError::Encryption)?;
    Ok(sealer.seal(&grant.id, token.expose_secret().as_bytes()).await?)
}

/// The token, unless it was sealed with another secret, for another grant, or was changed.
async fn open(server: &Server, grant: &Grant, kept: &[u8]) -> Result<Option<SecretString>, Unavailable> {
    let sealer = server.secret.sealer(PURPOSE).map_err(|_| SealError::Encryption)?;
    let opened = sealer.open(&grant.id, kept).await.ok();
    Ok(opened.and_then(|bytes| std::str::from_utf8(bytes.expose_secret()).ok().map(SecretString::from)))
}
