//! `bucket_list`: the buckets that the caller's role can see.

use std::fmt::Write as _;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, NoArguments, PlatformTool, timestamp};
use crate::{
    failure::ToolFailure,
    s3::{BucketName, S3, Scope},
};

/// As many as one answer of S3 is asked for.
const MAX_BUCKETS: i32 = 1000;
/// Configured buckets asked about at a time.
const AT_A_TIME: usize = 8;

pub(super) struct BucketList;

/// The buckets.
#[expect(clippy::struct_field_names, reason = "the names are those of the output")]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Buckets {
    /// The buckets, by name.
    buckets: Vec<Bucket>,
    /// `account`: every bucket of the account, and reading one may still be refused; `configuration`: those of the
    /// server's configuration that the role may list.
    source: Source,
    /// Whether there are more than these.
    truncated: bool,
}

/// One bucket.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Bucket {
    /// Its name.
    name: String,
    /// Region it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Source {
    Account,
    Configuration,
}

impl PlatformTool for BucketList {
    const NAME: &'static str = "bucket_list";
    const TITLE: &'static str = "List buckets";
    const DESCRIPTION: &'static str = "Lists the S3 buckets that your role can see.";
    type Arguments = NoArguments;
    type Output = Buckets;

    async fn run(NoArguments {}: NoArguments, scope: Scope<'_>) -> Result<Answer<Buckets>, ToolFailure> {
        let s3 = scope.s3().await?;
        let configured = &scope.platform.config().buckets;
        let buckets = match of_account(&s3).await {
            Err(ToolFailure::Denied { .. }) if !configured.is_empty() => {
                of_configuration(&s3, configured).await?
            }
            outcome => outcome?,
        };
        let text = summary(&buckets);
        Ok(Answer::text(buckets, text))
    }
}

async fn of_account(s3: &S3<'_>) -> Result<Buckets, ToolFailure> {
    let request = s3.client().list_buckets().max_buckets(MAX_BUCKETS);
    let answer = request.customize().config_override(s3.signing()).send().await;
    let answer = answer.map_err(|error| {
        s3.failure("s3:ListAllMyBuckets", "the buckets of the account".to_owned(), &error)
    })?;
    let buckets = answer.buckets().iter().filter_map(|bucket| {
        Some(Bucket {
            name: bucket.name()?.to_owned(),
            region: bucket.bucket_region().map(str::to_owned),
            created_at: timestamp(bucket.creation_date()),
        })
    });
    Ok(Buckets {
        buckets: buckets.collect(),
        source: Source::Account,
        truncated: answer.continuation_token().is_some(),
    })
}

async fn of_configuration(s3: &S3<'_>, configured: &[String]) -> Result<Buckets, ToolFailure> {
    let asked: Vec<_> = configured.iter().map(|name| visible(s3, name)).collect();
    let found: Vec<Option<Bucket>> = stream::iter(asked).buffered(AT_A_TIME).try_collect().await?;
    let buckets = found.into_iter().flatten().collect();
    Ok(Buckets { buckets, source: Source::Configuration, truncated: false })
}

/// The bucket, if the role may list it. One elsewhere is left out: nothing here could read it, and S3 says where it is
/// to everybody, so that it says nothing of what the role may.
async fn visible(s3: &S3<'_>, name: &str) -> Result<Option<Bucket>, ToolFailure> {
    let bucket = BucketName::parse("buckets", name)?;
    let request = s3.client().head_bucket().bucket(bucket.as_str());
    match request.customize().config_override(s3.signing()).send().await {
        Ok(answer) => Ok(Some(Bucket {
            name: name.to_owned(),
            region: answer.bucket_region().map(str::to_owned),
            created_at: None,
        })),
        Err(error) => match s3.failure("s3:ListBucket", format!("s3://{bucket}"), &error) {
            ToolFailure::Denied { .. } | ToolFailure::NotFound { .. } | ToolFailure::OtherRegion { .. } => {
                Ok(None)
            }
            failure => Err(failure),
        },
    }
}

fn summary(buckets: &Buckets) -> String {
    if buckets.buckets.is_empty() {
        return "Your role can see no bucket.".to_owned();
    }
    let mut text = format!("{} buckets:", buckets.buckets.len());
    for bucket in &buckets.buckets {
        // Writing into a `String` cannot fail.
        let _ = write!(text, "\n{}", bucket.name);
    }
    if buckets.truncated {
        text.push_str("\nThere are more.");
    }
    text
}
