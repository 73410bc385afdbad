//! Any bytes as a key set: keys are admitted or named, never lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oidc_verify::KeySet;

fuzz_target!(|document: &[u8]| {
    if let Ok(keys) = KeySet::from_jwks_json(document) {
        assert_eq!(keys.is_empty(), keys.len() == 0);
        for refused in keys.refused() {
            assert!(refused.position <= keys.len() + keys.refused().len());
            assert!(!refused.to_string().is_empty());
        }
    }
});
