//! Refresh tokens as clients see them: what follows which, and which ones were ours.
//!
//! ```text
//! <identifier of the grant> . base64url( when it was issued, 8 bytes | secret, 32 bytes | tag, 16 bytes )
//! ```
//!
//! The secret of a grant's first token is random. The secret of every other one is made from the token before it with the
//! server's key: whoever presents that token again can be told the same without its being kept. The tag is made with the
//! server's key too. It opens nothing; it only shows that this server issued the token, so that one whose row is long gone
//! is still recognised as used. Stores keep digests of whole tokens, so that what leaks from a database opens nothing,
//! even together with the key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use secrecy::SecretString;

use crate::{
    clock::to_millis,
    random::{Digest, Randomness, RandomnessUnavailable},
    secret::ServerSecret,
};

const SECRET: usize = 32;
const TAG: usize = 16;

/// A token that this server issued, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    /// The grant that it was issued under.
    pub(crate) grant_id: String,
    /// When, to the millisecond.
    pub(crate) at: SystemTime,
}

/// The first refresh token of a grant.
pub(crate) fn first(
    server: &ServerSecret,
    randomness: &dyn Randomness,
    grant_id: &str,
    now: SystemTime,
) -> Result<SecretString, RandomnessUnavailable> {
    let mut secret = [0; SECRET];
    randomness.fill(&mut secret)?;
    Ok(written(server, grant_id, now, &secret))
}

/// What follows a token that was used at `used_at`: always the same.
pub(crate) fn successor(
    server: &ServerSecret,
    presented: &str,
    grant_id: &str,
    used_at: SystemTime,
) -> SecretString {
    let secret = server.derive("refresh token successor", &[grant_id.as_bytes(), presented.as_bytes()]);
    written(server, grant_id, used_at, secret.as_bytes())
}

/// What a token says about itself, if this server issued it.
pub(crate) fn read(server: &ServerSecret, text: &str) -> Option<Issued> {
    let (grant_id, rest) = text.split_once('.')?;
    let rest = BASE64URL.decode(rest).ok()?;
    let (millis, rest) = rest.split_first_chunk()?;
    let (secret, found) = rest.split_first_chunk::<SECRET>()?;
    let tag = tag(server, grant_id, *millis, secret);
    let genuine = aws_lc_rs::constant_time::verify_slices_are_equal(found, &tag).is_ok();
    genuine.then(|| Issued {
        grant_id: grant_id.to_owned(),
        at: UNIX_EPOCH + Duration::from_millis(u64::from_be_bytes(*millis)),
    })
}

fn written(server: &ServerSecret, grant_id: &str, at: SystemTime, secret: &[u8; SECRET]) -> SecretString {
    let millis = to_millis(at).unsigned_abs().to_be_bytes();
    let tag = tag(server, grant_id, millis, secret);
    let rest = BASE64URL.encode([millis.as_slice(), secret, &tag].concat());
    SecretString::from(format!("{grant_id}.{rest}"))
}

fn tag(server: &ServerSecret, grant_id: &str, millis: [u8; 8], secret: &[u8; SECRET]) -> [u8; TAG] {
    let whole: Digest = server.derive("refresh token tag", &[grant_id.as_bytes(), &millis, secret]);
    let mut tag = [0; TAG];
    tag.iter_mut().zip(whole.as_bytes()).for_each(|(to, from)| *to = *from);
    tag
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use secrecy::ExposeSecret;

    use super::{Issued, first, read, successor};
    use crate::{random::SystemRandomness, seal::Sealing, secret::ServerSecret, store::MemoryStore};

    async fn server() -> ServerSecret {
        ServerSecret::load(&MemoryStore::default(), &Sealing::unsealed(), &SystemRandomness, UNIX_EPOCH)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_token_has_one_successor() {
        let (server, other) = (server().await, server().await);
        let at = UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
        let token = first(&server, &SystemRandomness, "grant", at).unwrap();
        let token = token.expose_secret();
        let next = |server, token, grant, at| successor(server, token, grant, at).expose_secret().to_owned();
        let once = next(&server, token, "grant", at);
        assert_eq!(once, next(&server, token, "grant", at));
        let differing = [
            token.to_owned(),
            next(&other, token, "grant", at),
            next(&server, &once, "grant", at),
            next(&server, token, "another", at),
            first(&server, &SystemRandomness, "grant", at).unwrap().expose_secret().to_owned(),
        ];
        assert!(!differing.contains(&once));
        let issued = Issued { grant_id: "grant".into(), at };
        assert_eq!(read(&server, token), Some(issued.clone()));
        assert_eq!(read(&server, &once), Some(issued));
    }

    /// SEC-18: a refresh token that nobody issued, made up from a known grant -> it is not taken for one of ours
    #[tokio::test]
    async fn what_another_server_or_nobody_issued_is_not_ours() {
        let (server, other) = (server().await, server().await);
        let token = first(&server, &SystemRandomness, "grant", UNIX_EPOCH).unwrap();
        let token = token.expose_secret();
        let rest = token.strip_prefix("grant").unwrap();
        let bytes: Vec<u8> = token.bytes().collect();
        assert_eq!(read(&other, token), None);
        for wrong in [
            String::new(),
            ".".into(),
            "grant".into(),
            format!("other{rest}"),
            rest.to_owned(),
            format!("{token}A"),
            token.chars().take(token.len() - 2).collect(),
        ] {
            assert_eq!(read(&server, &wrong), None, "{wrong}");
        }
        // One character changed anywhere behind the dot; the last one holds unused bits only in part.
        for at in "grant.".len()..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read(&server, &String::from_utf8(changed).unwrap()), None, "{at}");
        }
    }
}
