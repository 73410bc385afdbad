//! Sealing with a key in AWS KMS, which encrypts and decrypts itself: the key never leaves it.
//!
//! What is sealed is bound to its row by the encryption context. The process's own AWS role needs `kms:Encrypt` and
//! `kms:Decrypt` on the key.

use std::{error::Error, fmt};

use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    error::{DisplayErrorContext, SdkError},
    operation::decrypt::DecryptError,
    primitives::Blob,
};
use oauth_server::seal::{SealError, Sealer, short_id};
use secrecy::{SecretSlice, zeroize::Zeroize as _};

/// The name in the encryption context that says what is sealed.
const CONTEXT: &str = "connect-server";

/// Seals with one KMS key.
pub(super) struct KmsSealer {
    client: Client,
    arn: String,
    id: String,
}

impl KmsSealer {
    pub(super) fn new(client: Client, arn: String) -> Self {
        let id = short_id("kms", arn.as_bytes());
        Self { client, arn, id }
    }
}

#[async_trait]
impl Sealer for KmsSealer {
    fn key_id(&self) -> &str {
        &self.id
    }

    async fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let sealing = self
            .client
            .encrypt()
            .key_id(&self.arn)
            .encryption_context(CONTEXT, context)
            .plaintext(Blob::new(secret));
        let answer = sealing.send().await.map_err(|error| unavailable(&error))?;
        answer.ciphertext_blob.map(Blob::into_inner).ok_or(SealError::Encryption)
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<SecretSlice<u8>, SealError> {
        // Naming the key keeps KMS from trying another one that the blob may name.
        let opening = self
            .client
            .decrypt()
            .key_id(&self.arn)
            .encryption_context(CONTEXT, context)
            .ciphertext_blob(Blob::new(sealed));
        let answer = opening.send().await.map_err(|error| match &error {
            SdkError::ServiceError(refused) if is_about_the_blob(refused.err()) => SealError::Damaged,
            _ => unavailable(&error),
        })?;
        let mut bytes = answer.plaintext.map(Blob::into_inner).ok_or(SealError::Damaged)?;
        let secret = SecretSlice::from(bytes.clone());
        bytes.zeroize();
        Ok(secret)
    }
}

/// KMS refuses a blob that was changed, is another key's, or was sealed under another context.
fn is_about_the_blob(error: &DecryptError) -> bool {
    error.is_invalid_ciphertext_exception() || error.is_incorrect_key_exception()
}

/// What KMS or the connection to it says, in one line.
#[derive(Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Said {}

fn unavailable(error: &(impl Error + 'static)) -> SealError {
    SealError::Service(Box::new(Said(DisplayErrorContext(error).to_string())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_credential_types::Credentials;
    use aws_sdk_kms::config::{BehaviorVersion, Region};
    use axum::{
        Json, Router,
        http::{HeaderMap, StatusCode},
        response::{IntoResponse, Response},
        routing::post,
    };
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use oauth_server::seal::Sealing;
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::*;

    const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    const OTHER: &str = "arn:aws:kms:eu-central-1:111122223333:key/ffffffff-12ab-34cd-56ef-1234567890ab";
    const SECRET: &[u8] = b"pkcs8:canary";

    /// The two calls as KMS answers them: a blob knows its key and its context, and tells nothing of the secret.
    async fn kms(target: HeaderMap, body: String) -> Response {
        let body: Value = serde_json::from_str(&body).unwrap();
        let refusal = |kind: &str| (StatusCode::BAD_REQUEST, Json(json!({ "__type": kind }))).into_response();
        let invert = |bytes: Vec<u8>| -> Vec<u8> { bytes.into_iter().map(|byte| !byte).collect() };
        let bytes = |name: &str| BASE64_STANDARD.decode(body[name].as_str().unwrap()).unwrap();
        match target["x-amz-target"].to_str().unwrap() {
            "TrentService.Encrypt" => {
                let sealed = json!([body["KeyId"], body["EncryptionContext"], bytes("Plaintext")]);
                let blob = invert(serde_json::to_vec(&sealed).unwrap());
                Json(json!({ "CiphertextBlob": BASE64_STANDARD.encode(blob), "KeyId": body["KeyId"] }))
                    .into_response()
            }
            "TrentService.Decrypt" => {
                let sealed = invert(bytes("CiphertextBlob"));
                let Ok((key, context, plaintext)) =
                    serde_json::from_slice::<(Value, Value, Vec<u8>)>(&sealed)
                else {
                    return refusal("InvalidCiphertextException");
                };
                if key != body["KeyId"] {
                    return refusal("IncorrectKeyException");
                }
                if context != body["EncryptionContext"] {
                    return refusal("InvalidCiphertextException");
                }
                Json(json!({ "Plaintext": BASE64_STANDARD.encode(plaintext), "KeyId": key })).into_response()
            }
            _ => refusal("UnknownOperationException"),
        }
    }

    fn sealer(endpoint: &str, arn: &str) -> Arc<dyn Sealer> {
        let settings = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "canary", None, None, "test"))
            .retry_config(aws_sdk_kms::config::retry::RetryConfig::disabled())
            .endpoint_url(endpoint)
            .build();
        Arc::new(KmsSealer::new(Client::from_conf(settings), arn.to_owned()))
    }

    async fn serve() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(kms))).await });
        endpoint
    }

    /// SEC-64: a blob of KMS changed, in another row, of another key or while KMS is down -> it does not open
    #[tokio::test]
    async fn kms_opens_what_it_sealed_for_the_same_row_only() {
        let endpoint = serve().await;
        let one = sealer(&endpoint, ARN);
        let sealed = one.seal("signing-key:a", SECRET).await.unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_eq!(one.open("signing-key:a", &sealed).await.unwrap().expose_secret(), SECRET);
        let mut changed = sealed.clone();
        changed[3] ^= 1;
        let other = sealer(&endpoint, OTHER);
        let cases = [
            one.open("signing-key:b", &sealed).await,
            one.open("signing-key:a", &changed).await,
            one.open("signing-key:a", &sealed[..sealed.len() - 1]).await,
            other.open("signing-key:a", &sealed).await,
        ];
        for (index, opened) in cases.into_iter().enumerate() {
            assert!(matches!(opened, Err(SealError::Damaged)), "case {index}");
        }
        assert_ne!(one.key_id(), other.key_id());
        assert!(Sealing::new(one, vec![other]).is_ok(), "the identifiers can be written");
        let down = sealer("http://127.0.0.1:1", ARN);
        let error = down.open("signing-key:a", &sealed).await.map(drop).unwrap_err();
        assert!(matches!(error, SealError::Service(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
