use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::{AeadSealer, SealError, SealKeyError, Sealer, Sealing, sealed_with};

const SECRET: &[u8] = b"pkcs8:canary-0123456789abcdef";

fn sealer(byte: u8) -> Arc<dyn Sealer> {
    Arc::new(AeadSealer::new(&key(byte)).unwrap())
}

fn key(byte: u8) -> SecretString {
    SecretString::from(BASE64_STANDARD.encode([byte; 32]))
}

fn sealing(byte: u8) -> Sealing {
    Sealing::new(sealer(byte), vec![]).unwrap()
}

#[tokio::test]
async fn what_was_sealed_opens_and_shows_nothing() {
    let sealing = sealing(1);
    let kept = sealing.seal("signing-key:a", SECRET).await.unwrap();
    let kept = kept.expose_secret();
    assert!(!kept.windows(6).any(|window| window == b"canary"));
    let opened = sealing.open("signing-key:a", kept).await.unwrap();
    assert_eq!(opened.secret.expose_secret(), SECRET);
    assert!(!opened.is_stale);
    assert_eq!(sealed_with(kept).unwrap().unwrap().key_id, sealing.key_id().unwrap());
    let again = sealing.seal("signing-key:a", SECRET).await.unwrap();
    assert_ne!(kept, again.expose_secret(), "a nonce of its own each time");
}

/// SEC-64: a sealed secret in another row, changed by a bit or cut short -> it does not open
#[tokio::test]
async fn nothing_else_opens() {
    let sealing = sealing(1);
    let kept = sealing.seal("signing-key:a", SECRET).await.unwrap();
    let kept = kept.expose_secret();
    let swapped = sealing.open("signing-key:b", kept).await;
    assert!(matches!(swapped, Err(SealError::Damaged)));
    let body = kept.len() - (12 + SECRET.len() + 16);
    for index in body..kept.len() {
        let mut changed = kept.to_vec();
        changed[index] ^= 1;
        let opened = sealing.open("signing-key:a", &changed).await;
        assert!(matches!(opened, Err(SealError::Damaged)), "byte {index}");
    }
    for length in b"sealed:".len()..kept.len() {
        assert!(sealing.open("signing-key:a", &kept[..length]).await.is_err(), "{length} bytes");
    }
}

/// SEC-64: a secret sealed with another key -> it does not open, and the answer names both keys
#[tokio::test]
async fn a_wrong_key_is_named() {
    let kept = sealing(1).seal("c", SECRET).await.unwrap();
    for (sealing, expected) in [(sealing(2), "aes-"), (Sealing::unsealed(), "no sealing key is configured")] {
        let error = sealing.open("c", kept.expose_secret()).await.map(drop).unwrap_err();
        assert!(matches!(error, SealError::WrongKey { .. }), "{error:?}");
        assert!(error.to_string().contains(expected) && error.to_string().contains("previous"), "{error}");
    }
    // Renaming the key does not help.
    let text = sealing(2);
    let renamed = [
        b"sealed:1:",
        text.key_id().unwrap().as_bytes(),
        &kept.expose_secret()[b"sealed:1:".len() + text.key_id().unwrap().len()..],
    ]
    .concat();
    assert!(matches!(text.open("c", &renamed).await, Err(SealError::Damaged)));
}

#[tokio::test]
async fn what_was_unsealed_or_sealed_before_opens_and_is_stale() {
    let before = sealing(1).seal("c", SECRET).await.unwrap();
    let sealing = Sealing::new(sealer(2), vec![sealer(1)]).unwrap();
    for kept in [before.expose_secret(), SECRET] {
        let opened = sealing.open("c", kept).await.unwrap();
        assert_eq!(opened.secret.expose_secret(), SECRET);
        assert!(opened.is_stale);
    }
    assert!(!Sealing::unsealed().open("c", SECRET).await.unwrap().is_stale);
    assert!(matches!(sealing.open("c", b"sealed:2:x:y").await, Err(SealError::Form)));
}

#[test]
fn a_key_is_32_bytes_in_base64_or_hexadecimal() {
    let bytes: Vec<u8> = (0..32).map(|n| n * 8 + 7).collect();
    let base64 = BASE64_STANDARD.encode(&bytes);
    let hex = bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let url = base64.replace('+', "-").replace('/', "_");
    let spellings = [
        base64.clone(),
        format!("{base64}\n"),
        base64.trim_end_matches('=').to_owned(),
        url,
        hex.to_uppercase(),
        hex.clone(),
    ];
    let ids = spellings.map(|text| AeadSealer::new(&SecretString::from(text)).unwrap().key_id().to_owned());
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    for text in [
        "",
        "secret",
        hex.trim_start_matches('0'),
        &base64.replacen("Bw", "", 1),
        &format!("{hex}00"),
        &"g".repeat(64),
    ] {
        let refused = AeadSealer::new(&SecretString::from(text)).map(drop);
        assert_eq!(refused, Err(SealKeyError), "{text}");
    }
}

#[test]
fn an_identifier_must_be_writable() {
    struct Named(&'static str);
    #[async_trait::async_trait]
    impl Sealer for Named {
        fn key_id(&self) -> &str {
            self.0
        }
        async fn seal(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, SealError> {
            Err(SealError::Encryption)
        }
        async fn open(&self, _: &str, _: &[u8]) -> Result<secrecy::SecretSlice<u8>, SealError> {
            Err(SealError::Damaged)
        }
    }
    for id in ["", "a:b", "ä"] {
        assert!(matches!(Sealing::new(Arc::new(Named(id)), vec![]), Err(SealError::KeyId(_))), "{id}");
    }
    assert!(Sealing::new(Arc::new(Named("a-1")), vec![]).is_ok());
}

#[test]
fn debug_shows_identifiers_only() {
    let sealing = sealing(65);
    let shown = format!("{sealing:?} {sealing} {:?}", AeadSealer::new(&key(65)).unwrap());
    assert!(!shown.contains("AAAA") && !shown.contains("QUFB") && !shown.contains("4141"), "{shown}");
}

proptest! {
    #[test]
    fn any_kept_bytes_are_judged_without_a_panic(kept in prop::collection::vec(any::<u8>(), 0..80), marked in any::<bool>()) {
        let kept = if marked { [b"sealed:1:".as_slice(), &kept].concat() } else { kept };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let opened = runtime.block_on(sealing(1).open("c", &kept));
        prop_assert_eq!(opened.is_ok(), !kept.starts_with(b"sealed:"));
    }
}
