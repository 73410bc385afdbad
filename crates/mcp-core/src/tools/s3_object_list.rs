//! `s3_object_list`: what is in a bucket.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, PlatformTool, timestamp};
use crate::{
    failure::ToolFailure,
    s3::{BucketName, S3Uri, Scope},
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
        let request = s3
            .client()
            .list_objects_v2()
            .bucket(bucket.as_str())
            .prefix(&arguments.prefix)
            .set_delimiter(Some(arguments.delimiter).filter(|delimiter| !delimiter.is_empty()))
            .max_keys(arguments.max_keys)
            .set_continuation_token(arguments.continuation_token);
        let answer = request.customize().config_override(s3.signing()).send().await;
        let answer = answer.map_err(|error| {
            s3.failure("s3:ListBucket", format!("s3://{bucket}/{}", arguments.prefix), &error)
        })?;
        let objects = answer.contents().iter().filter_map(|object| listed(&bucket, object)).collect();
        let groups = answer.common_prefixes().iter().filter_map(|group| group.prefix().map(str::to_owned));
        let listing = Listing {
            bucket: arguments.bucket,
            prefix: arguments.prefix,
            objects,
            common_prefixes: groups.collect(),
            truncated: answer.is_truncated().unwrap_or(false),
            next_continuation_token: answer.next_continuation_token().map(str::to_owned),
        };
        let text = summary(&listing);
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

fn listed(bucket: &BucketName, object: &aws_sdk_s3::types::Object) -> Option<Object> {
    let key = object.key()?;
    Some(Object {
        key: key.to_owned(),
        uri: S3Uri::new(bucket.clone(), key).to_string(),
        size: object.size().unwrap_or(0),
        last_modified: timestamp(object.last_modified()),
        etag: object.e_tag().map(|tag| tag.trim_matches('"').to_owned()),
        storage_class: object.storage_class().map(|class| class.as_str().to_owned()),
    })
}

fn summary(listing: &Listing) -> String {
    let (objects, groups) = (listing.objects.len(), listing.common_prefixes.len());
    let mut text =
        format!("{objects} objects and {groups} groups in s3://{}/{}", listing.bucket, listing.prefix);
    for group in &listing.common_prefixes {
        // Writing into a `String` cannot fail.
        let _ = write!(text, "\n{group}");
    }
    for object in &listing.objects {
        let _ = write!(text, "\n{} ({} bytes)", object.key, object.size);
    }
    if listing.truncated {
        text.push_str("\nThere are more: pass next_continuation_token as continuation_token.");
    }
    text
}
