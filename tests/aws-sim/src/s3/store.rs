//! The operations: what each needs, and then `s3s-fs` does it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopySource, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, Error as DeleteError, GetBucketLocationInput, GetBucketLocationOutput,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use serde_json::json;

use super::access::{Gate, Keys};
use super::guard::{Guard, Need};
use crate::iam::Context;
use crate::world::World;

/// Builds the service over the directory `root`, which has one directory per bucket.
pub(crate) fn build(world: &Arc<World>, root: &Path) -> Result<S3Service, s3s_fs::Error> {
    let store = Store { world: Arc::clone(world), files: FileSystem::new(root)?, root: root.to_owned() };
    let mut builder = S3ServiceBuilder::new(store);
    builder.set_auth(Keys(Arc::clone(world)));
    builder.set_access(Gate(Arc::clone(world)));
    // The date was compared with this simulator's own clock before; `s3s` would compare it with the machine's.
    let mut config = s3s::config::S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX;
    builder.set_config(Arc::new(s3s::config::StaticConfigProvider::new(Arc::new(config))));
    Ok(builder.build())
}

/// Whether a key can be a path below its bucket's directory, and only there.
pub(crate) fn is_storable_key(key: &str) -> bool {
    let segment =
        |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.len() <= 255;
    key.len() <= 1024 && !key.contains(['\0', '\\']) && key.split('/').all(segment)
}

/// Every operation that is not written here answers `NotImplemented`, after the gate has denied it.
struct Store {
    world: Arc<World>,
    files: FileSystem,
    root: PathBuf,
}

impl Store {
    fn guard<T>(&self, request: &S3Request<T>, operation: &str) -> S3Result<Guard<'_>> {
        Guard::new(&self.world, &request.extensions, operation)
    }

    /// An object is there; otherwise only who may list the bucket is told that it is not.
    fn exists(&self, guard: &mut Guard<'_>, bucket: &str, key: &str) -> S3Result<()> {
        if self.root.join(bucket).join(key).is_file() {
            return Ok(());
        }
        let context = guard.context();
        guard.require(Need { action: "s3:ListBucket", bucket, key: None }, context)?;
        Err(guard.error(404, "NoSuchKey", "The specified key does not exist."))
    }

    /// `s3:GetObject`, or `s3:GetObjectVersion` for a version; the only version there is has the id `null`.
    fn read(&self, guard: &mut Guard<'_>, bucket: &str, key: &str, version: Option<&str>) -> S3Result<()> {
        let mut context = guard.context();
        let action = if let Some(version) = version {
            context.set("s3:VersionId", version);
            "s3:GetObjectVersion"
        } else {
            "s3:GetObject"
        };
        guard.require(Need { action, bucket, key: Some(key) }, context)?;
        self.exists(guard, bucket, key)?;
        if version.is_some_and(|version| version != "null") {
            return Err(guard.error(404, "NoSuchVersion", "The specified version does not exist."));
        }
        Ok(())
    }

    fn list(guard: &mut Guard<'_>, input: &mut ListObjectsV2Input) -> S3Result<()> {
        let mut context = guard.context();
        set(&mut context, "s3:prefix", input.prefix.as_deref());
        set(&mut context, "s3:delimiter", input.delimiter.as_deref());
        set(&mut context, "s3:max-keys", input.max_keys.map(|keys| keys.to_string()).as_deref());
        guard.note("prefix", json!(input.prefix));
        guard.require(Need { action: "s3:ListBucket", bucket: &input.bucket, key: None }, context)?;
        if input.prefix.as_deref().is_some_and(|prefix| prefix.starts_with('/')) {
            return Err(guard.error(
                400,
                "InvalidArgument",
                "the simulator stores no key that starts with a slash",
            ));
        }
        if input.delimiter.as_deref().is_some_and(|delimiter| delimiter != "/") {
            return Err(guard.error(501, "NotImplemented", "only the delimiter / is simulated"));
        }
        if input.max_keys.is_some_and(|keys| keys < 0) {
            return Err(guard.error(400, "InvalidArgument", "max-keys must not be negative"));
        }
        input.max_keys = input.max_keys.map(|keys| keys.min(1000));
        // The answer then promises no encoding, and indeed has none.
        input.encoding_type = None;
        Ok(())
    }

    fn write(guard: &mut Guard<'_>, action: &'static str, bucket: &str, key: &str) -> S3Result<()> {
        let context = guard.context();
        guard.require(Need { action, bucket, key: Some(key) }, context)
    }
}

/// Leaves the page that was asked for of the caller's own buckets; the token is the last name of the page before.
fn page_of_buckets(input: &ListBucketsInput, output: &mut ListBucketsOutput, own: impl Fn(&str) -> bool) {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = input.continuation_token.as_deref().unwrap_or_default();
    let most = input.max_buckets.and_then(|most| usize::try_from(most).ok()).unwrap_or(10_000);
    let wanted = |name: &str| own(name) && name.starts_with(prefix) && name > after;
    let buckets = output.buckets.get_or_insert_default();
    buckets.retain(|bucket| bucket.name.as_deref().is_some_and(wanted));
    buckets.sort_by(|a, b| a.name.cmp(&b.name));
    if buckets.len() > most {
        buckets.truncate(most);
        output.continuation_token = buckets.last().and_then(|bucket| bucket.name.clone());
    }
    output.prefix.clone_from(&input.prefix);
}

fn set(context: &mut Context, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        context.set(key, value);
    }
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let guard = self.guard(&req, "ListBuckets")?;
        let allowed = guard.list_all();
        if let Err(error) = allowed {
            return guard.finish(Err(error));
        }
        let input = req.input.clone();
        let mut outcome = self.files.list_buckets(req).await;
        if let Ok(response) = &mut outcome {
            let account = guard.account();
            let own =
                |name: &str| self.world.buckets.get(name).is_some_and(|bucket| bucket.account == account);
            page_of_buckets(&input, &mut response.output, own);
            for bucket in response.output.buckets.iter_mut().flatten() {
                bucket.bucket_region = self.world.regions.first().cloned();
            }
        }
        guard.finish(outcome)
    }

    async fn list_objects(
        &self,
        mut req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let mut guard = self.guard(&req, "ListObjects")?;
        let mut input = ListObjectsV2Input::from(req.input.clone());
        if let Err(error) = Self::list(&mut guard, &mut input) {
            return guard.finish(Err(error));
        }
        req.input.encoding_type = None;
        req.input.max_keys = input.max_keys;
        guard.finish(self.files.list_objects(req).await)
    }

    async fn list_objects_v2(
        &self,
        mut req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let mut guard = self.guard(&req, "ListObjectsV2")?;
        if let Err(error) = Self::list(&mut guard, &mut req.input) {
            return guard.finish(Err(error));
        }
        guard.finish(self.files.list_objects_v2(req).await)
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let mut guard = self.guard(&req, "GetBucketLocation")?;
        let context = guard.context();
        let need = Need { action: "s3:GetBucketLocation", bucket: &req.input.bucket, key: None };
        match guard.require(need, context) {
            Ok(()) => {
                let mut outcome = self.files.get_bucket_location(req).await;
                if let (Ok(response), Some(region)) = (&mut outcome, self.world.regions.first()) {
                    let named = (region != "us-east-1").then(|| region.clone().into());
                    response.output.location_constraint = named;
                }
                guard.finish(outcome)
            }
            Err(error) => guard.finish(Err(error)),
        }
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let mut guard = self.guard(&req, "HeadBucket")?;
        let context = guard.context();
        let need = Need { action: "s3:ListBucket", bucket: &req.input.bucket, key: None };
        match guard.require(need, context) {
            Ok(()) => {
                let mut outcome = self.files.head_bucket(req).await;
                if let Ok(response) = &mut outcome {
                    response.output.bucket_region = self.world.regions.first().cloned();
                }
                guard.finish(outcome)
            }
            Err(error) => guard.finish(Err(error)),
        }
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let mut guard = self.guard(&req, "GetObject")?;
        match self.read(&mut guard, &req.input.bucket, &req.input.key, req.input.version_id.as_deref()) {
            Ok(()) => guard.finish(self.files.get_object(req).await),
            Err(error) => guard.finish(Err(error)),
        }
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let mut guard = self.guard(&req, "HeadObject")?;
        match self.read(&mut guard, &req.input.bucket, &req.input.key, req.input.version_id.as_deref()) {
            Ok(()) => guard.finish(self.files.head_object(req).await),
            Err(error) => guard.finish(Err(error)),
        }
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let mut guard = self.guard(&req, "PutObject")?;
        match Self::write(&mut guard, "s3:PutObject", &req.input.bucket, &req.input.key) {
            Ok(()) => guard.finish(self.files.put_object(req).await),
            Err(error) => guard.finish(Err(error)),
        }
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let mut guard = self.guard(&req, "DeleteObject")?;
        if req.input.version_id.is_some() {
            let error = guard.error(501, "NotImplemented", "deleting a version is not simulated");
            return guard.finish(Err(error));
        }
        if let Err(error) = Self::write(&mut guard, "s3:DeleteObject", &req.input.bucket, &req.input.key) {
            return guard.finish(Err(error));
        }
        if !self.root.join(&req.input.bucket).join(&req.input.key).is_file() {
            return guard.finish(Ok(S3Response::new(DeleteObjectOutput::default())));
        }
        guard.finish(self.files.delete_object(req).await)
    }

    async fn delete_objects(
        &self,
        mut req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut guard = self.guard(&req, "DeleteObjects")?;
        let mut errors = Vec::new();
        let mut permitted = Vec::new();
        for object in std::mem::take(&mut req.input.delete.objects) {
            let outcome = if object.version_id.is_some() {
                Err(guard.error(501, "NotImplemented", "deleting a version is not simulated"))
            } else {
                Self::write(&mut guard, "s3:DeleteObject", &req.input.bucket, &object.key)
            };
            match outcome {
                Ok(()) => permitted.push(object),
                Err(error) => errors.push(DeleteError {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: object.version_id,
                }),
            }
        }
        req.input.delete.objects = permitted;
        let mut outcome = self.files.delete_objects(req).await;
        if let Ok(response) = &mut outcome {
            response.output.errors = (!errors.is_empty()).then_some(errors);
        }
        guard.finish(outcome)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let mut guard = self.guard(&req, "CopyObject")?;
        let CopySource::Bucket { bucket, key, version_id } = &req.input.copy_source else {
            let error = guard.error(501, "NotImplemented", "access points are not simulated");
            return guard.finish(Err(error));
        };
        let source = self.read(&mut guard, bucket, key, version_id.as_deref());
        let permitted =
            source.and_then(|()| Self::write(&mut guard, "s3:PutObject", &req.input.bucket, &req.input.key));
        match permitted {
            Ok(()) => guard.finish(self.files.copy_object(req).await),
            Err(error) => guard.finish(Err(error)),
        }
    }
}
