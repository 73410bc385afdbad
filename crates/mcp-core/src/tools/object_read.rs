//! `object_read`: the content of an object, or its beginning.

use aws_sdk_s3::{
    error::ProvideErrorMetadata as _,
    operation::get_object::{GetObjectOutput, builders::GetObjectFluentBuilder},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rmcp::model::ContentBlock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, PlatformTool,
    object_text::{As, Kind, forced_text_of, image_type, kind_of, text_of},
    one_line, timestamp,
};
use crate::{
    failure::ToolFailure,
    s3::{S3, S3Uri, Scope},
};

const MOST_BYTES: u64 = 1_000_000;

pub(super) struct ObjectRead;

/// What to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// Address of the object: `s3://bucket/key`, percent-encoded, optionally with `?versionId=…`.
    uri: String,
    /// How to treat the object: `auto` decides by its bytes, `text` replaces what is not text.
    #[serde(default, rename = "type")]
    wanted: As,
    /// How many bytes to read from its beginning at most.
    #[serde(default = "hundred_thousand")]
    #[schemars(range(min = 1, max = 1_000_000))]
    max_bytes: u64,
    /// Whether to give the bytes of an image or binary object too, as base64.
    #[serde(default)]
    include_data: bool,
}

fn hundred_thousand() -> u64 {
    100_000
}

/// The object, or its beginning.
#[expect(clippy::struct_field_names, reason = "the names are those of the output")]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Content {
    /// Its address.
    uri: String,
    /// What it is: text, an image that clients can show, or anything else.
    kind: Kind,
    /// Its size in bytes.
    size: u64,
    /// How many bytes were read.
    bytes_read: u64,
    /// Whether there is more than was read.
    truncated: bool,
    /// Its content type, as stored with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// How it is compressed, as stored with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<String>,
    /// Its entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// The version that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// The text, of a text object.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The bytes in base64, of any other object, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

impl PlatformTool for ObjectRead {
    const NAME: &'static str = "object_read";
    const TITLE: &'static str = "Read an object";
    const DESCRIPTION: &'static str = "Reads an S3 object, or its beginning: text as text, images as images, anything \
                                       else as a description and, on request, its bytes.";
    type Arguments = Arguments;
    type Output = Content;

    async fn run(arguments: Arguments, scope: Scope<'_>) -> Result<Answer<Content>, ToolFailure> {
        let uri = S3Uri::parse(&arguments.uri)?;
        if !(1..=MOST_BYTES).contains(&arguments.max_bytes) {
            return Err(ToolFailure::argument("max_bytes", "must be from 1 to 1000000"));
        }
        let s3 = scope.s3().await?;
        let mut object = get(&s3, &uri, arguments.max_bytes).await?;
        let bytes = read(&uri, &mut object, arguments.max_bytes).await?;
        Ok(answer(&uri, &arguments, &object, &bytes))
    }
}

async fn get(s3: &S3<'_>, uri: &S3Uri, max_bytes: u64) -> Result<GetObjectOutput, ToolFailure> {
    let whole = s3
        .client()
        .get_object()
        .bucket(uri.bucket.as_str())
        .key(&uri.key)
        .set_version_id(uri.version_id.clone());
    let send = async |request: GetObjectFluentBuilder| {
        request.customize().config_override(s3.signing()).send().await
    };
    let mut outcome = send(whole.clone().range(format!("bytes=0-{}", max_bytes - 1))).await;
    // An empty object has no first byte to begin a range with.
    if outcome.as_ref().is_err_and(|error| error.code() == Some("InvalidRange")) {
        outcome = send(whole).await;
    }
    let action = if uri.version_id.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    outcome.map_err(|error| s3.failure(action, uri.to_string(), &error))
}

/// Reads what was asked for, also from a server that ignores the range.
async fn read(uri: &S3Uri, object: &mut GetObjectOutput, max_bytes: u64) -> Result<Vec<u8>, ToolFailure> {
    let most = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let Some(part) = object.body.next().await else { break };
        let part = part.map_err(|_| ToolFailure::Unavailable { resource: uri.to_string() })?;
        bytes.extend_from_slice(&part);
    }
    bytes.truncate(most);
    Ok(bytes)
}

fn answer(uri: &S3Uri, arguments: &Arguments, object: &GetObjectOutput, bytes: &[u8]) -> Answer<Content> {
    let bytes_read = bytes.len() as u64;
    let stated = size_of(object);
    let size = stated.unwrap_or(bytes_read).max(bytes_read);
    // A server that does not say how much there is may have more.
    let truncated = size > bytes_read || (stated.is_none() && bytes_read == arguments.max_bytes);
    let encoding =
        object.content_encoding().filter(|encoding| !matches!(*encoding, "" | "identity" | "aws-chunked"));
    let kind = kind_of(arguments.wanted, bytes, encoding.is_some(), truncated);
    let text = (kind == Kind::Text).then(|| match text_of(bytes, truncated) {
        Some(text) => text.to_owned(),
        None => forced_text_of(bytes),
    });
    let data = (kind != Kind::Text && arguments.include_data).then(|| BASE64_STANDARD.encode(bytes));
    let output = Content {
        uri: uri.to_string(),
        kind,
        size,
        bytes_read,
        truncated,
        content_type: object.content_type().map(str::to_owned),
        content_encoding: encoding.map(str::to_owned),
        etag: object.e_tag().map(|tag| tag.trim_matches('"').to_owned()),
        version_id: object.version_id().map(str::to_owned),
        last_modified: timestamp(object.last_modified()),
        text,
        data,
    };
    let content = blocks(&output, image_type(bytes));
    Answer { output, content }
}

fn blocks(output: &Content, image: Option<&'static str>) -> Vec<ContentBlock> {
    let Content { uri, size, bytes_read, .. } = output;
    let part = if output.truncated {
        format!("the first {bytes_read} of {size} bytes")
    } else {
        format!("{size} bytes")
    };
    if let Some(text) = &output.text {
        let mut blocks = vec![ContentBlock::text(text.clone())];
        if output.truncated {
            blocks.push(ContentBlock::text(format!("That is {part} of {uri}.")));
        }
        return blocks;
    }
    let stored = output.content_type.as_deref().map_or_else(|| "no content type".to_owned(), one_line);
    let mut blocks = vec![ContentBlock::text(format!("{uri}: {part}, {stored}."))];
    // Half an image is none.
    if let (Kind::Image, Some(data), Some(image), false) =
        (output.kind, &output.data, image, output.truncated)
    {
        blocks.push(ContentBlock::image(data.clone(), image));
    }
    blocks
}

/// The whole size, from `bytes 0-99/1234` or, where the whole object came, its length.
fn size_of(object: &GetObjectOutput) -> Option<u64> {
    match object.content_range() {
        Some(range) => range.rsplit_once('/')?.1.parse().ok(),
        None => object.content_length().and_then(|length| u64::try_from(length).ok()),
    }
}
