//! `s3_object_list`: what is in a bucket.

use std::fmt::Write as _;

use aws_sdk_s3::{operation::list_objects_v2::ListObjectsV2Output, types::EncodingType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, PlatformTool, one_line, timestamp};
use crate::{
    failure::ToolFailure,
    s3::{BucketName, S3Uri, Scope, decode_listed},
};

const MOST_KEYS: i32 = 1000;
const LONGEST_PREFIX: usize = 1024;
const LONGEST_TOKEN: usize = 4096;

pub(super) struct S3ObjectList;

/// What to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// Name of the bucket.
    bucket: String,
    /// Lists only keys that start with this.
    #[serde(default)]
    prefix: String,
    /// Groups keys up to this text after the prefix, like folders; empty lists every key.
    #[serde(default = "slash")]
    delimiter: String,
    /// How many objects and groups to list at most.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    max_keys: i32,
    /// Continues a listing from its `next_continuation_token`.
    #[serde(default)]
    continuation_token: Option<String>,
}

fn slash() -> String {
    "/".to_owned()
}

fn hundred() -> i32 {
    100
}

/// What is there.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Listing {
    /// The bucket.
    bucket: String,
    /// The prefix that was asked for.
    prefix: String,
    /// The objects, by key.
    objects: Vec<Object>,
    /// The groups of keys that share a prefix up to the delimiter.
    common_prefixes: Vec<String>,
    /// Whether there are more.
    truncated: bool,
    /// Pass as `continuation_token` for the next part.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<String>,
}

/// One object.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Object {
    /// Its key.
    key: String,
    /// Its address, as tool `object_read` takes it.
    uri: String,
    /// Size in bytes.
    size: i64,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// Its entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// Its storage class.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<String>,
}

impl PlatformTool for S3ObjectList {
    const NAME: &'static str = "s3_object_list";
    const TITLE: &'static str = "List objects";
    const DESCRIPTION: &'static str = "Lists objects of an S3 bucket under a prefix, grouped like folders by default. \
                                       Long listings come in parts.";
    type Arguments = Arguments;
    type Output = Listing;

    async fn run(arguments: Arguments, scope: Scope<'_>) -> Result<Answer<Listing>, ToolFailure> {
        let bucket = BucketName::parse("bucket", &arguments.bucket)?;
        check(&arguments)?;
        let s3 = scope.s3().await?;
        let address = S3Uri::new(bucket.clone(), &arguments.prefix).to_string();
        let request = s3
            .client()
            .list_objects_v2()
            .bucket(bucket.as_str())
            .prefix(&arguments.prefix)
            .set_delimiter(Some(arguments.delimiter).filter(|delimiter| !delimiter.is_empty()))
            .max_keys(arguments.max_keys)
            .set_continuation_token(arguments.continuation_token)
            // Keys may have characters that XML cannot.
            .encoding_type(EncodingType::Url);
        let answer = request.customize().config_override(s3.signing()).send().await;
        let answer = answer.map_err(|error| s3.failure("s3:ListBucket", address.clone(), &error))?;
        let listing = Listing {
            objects: answer.contents().iter().filter_map(|object| listed(&bucket, object, &answer)).collect(),
            common_prefixes: answer
                .common_prefixes()
                .iter()
                .filter_map(|group| Some(name(group.prefix()?, &answer)))
                .collect(),
            bucket: arguments.bucket,
            prefix: arguments.prefix,
            truncated: answer.is_truncated().unwrap_or(false),
            next_continuation_token: answer.next_continuation_token().map(str::to_owned),
        };
        let text = summary(&listing, &address);
        Ok(Answer::text(listing, text))
    }
}

fn check(arguments: &Arguments) -> Result<(), ToolFailure> {
    if !(1..=MOST_KEYS).contains(&arguments.max_keys) {
        return Err(ToolFailure::argument("max_keys", "must be from 1 to 1000"));
    }
    if arguments.prefix.len() > LONGEST_PREFIX || arguments.delimiter.len() > LONGEST_PREFIX {
        return Err(ToolFailure::argument("prefix", "prefix and delimiter must each be at most 1024 bytes"));
    }
    if arguments
        .continuation_token
        .as_ref()
        .is_some_and(|token| token.is_empty() || token.len() > LONGEST_TOKEN)
    {
        return Err(ToolFailure::argument(
            "continuation_token",
            "must be the next_continuation_token of an earlier listing",
        ));
    }
    Ok(())
}

/// A key or prefix of an answer. S3 encodes it when asked; others who speak its protocol may not, and then do not say so.
fn name(listed: &str, answer: &ListObjectsV2Output) -> String {
    let encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let decoded = if encoded { decode_listed(listed) } else { None };
    decoded.unwrap_or_else(|| listed.to_owned())
}

fn listed(
    bucket: &BucketName,
    object: &aws_sdk_s3::types::Object,
    answer: &ListObjectsV2Output,
) -> Option<Object> {
    let key = name(object.key()?, answer);
    Some(Object {
        uri: S3Uri::new(bucket.clone(), &key).to_string(),
        key,
        size: object.size().unwrap_or(0),
        last_modified: timestamp(object.last_modified()),
        etag: object.e_tag().map(|tag| tag.trim_matches('"').to_owned()),
        storage_class: object.storage_class().map(|class| class.as_str().to_owned()),
    })
}

fn summary(listing: &Listing, address: &str) -> String {
    let (objects, groups) = (listing.objects.len(), listing.common_prefixes.len());
    let mut text = format!("{objects} objects and {groups} groups in {address}");
    for group in &listing.common_prefixes {
        // Writing into a `String` cannot fail.
        let _ = write!(text, "\n{}", one_line(group));
    }
    for object in &listing.objects {
        let _ = write!(text, "\n{} ({} bytes)", one_line(&object.key), object.size);
    }
    if listing.truncated {
        text.push_str("\nThere are more: pass next_continuation_token as continuation_token.");
    }
    text
}
