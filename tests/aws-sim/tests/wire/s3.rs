//! S3 under the policies of the caller.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectCannedAcl, ObjectIdentifier};
use aws_sdk_sts::types::PolicyDescriptorType;

use crate::world::{ACME, GLOBEX, World, code, refusal, session, tag};

async fn text(client: &Client, bucket: &str, key: &str) -> Result<String, String> {
    match client.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => Ok(String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()),
        error => Err(code(error)),
    }
}

async fn keys(client: &Client, bucket: &str, prefix: Option<&str>) -> Result<Vec<String>, String> {
    match client.list_objects_v2().bucket(bucket).set_prefix(prefix.map(str::to_owned)).send().await {
        Ok(page) => Ok(page.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()),
        error => Err(code(error)),
    }
}

fn denied<T>() -> Result<T, String> {
    Err("AccessDenied".to_owned())
}

#[tokio::test]
async fn tenants_see_their_own_prefix_and_nothing_else() {
    let world = World::start().await;
    let people = [(ACME, "acme", 3, "acme's first"), (GLOBEX, "globex", 1, "globex's only")];
    for (role, tenant, count, first) in people {
        let client = world.s3(world.person(role, tenant, "okta-ada").await);
        let own = format!("{tenant}/");
        assert_eq!(keys(&client, "shared-data", Some(&own)).await.unwrap().len(), count);
        let key = if tenant == "acme" { "acme/a.txt" } else { "globex/g.txt" };
        assert_eq!(text(&client, "shared-data", key).await.as_deref(), Ok(first));

        let (other, other_key) =
            if tenant == "acme" { ("globex/", "globex/g.txt") } else { ("acme/", "acme/a.txt") };
        for prefix in [None, Some(""), Some(other), Some(tenant), Some("/"), Some(&*format!("/{own}"))] {
            assert_eq!(keys(&client, "shared-data", prefix).await, denied(), "{tenant} lists {prefix:?}");
        }
        assert_eq!(text(&client, "shared-data", other_key).await, denied());
        assert_eq!(text(&client, "globex-private", "secret.txt").await, denied());
        let put = client.put_object().bucket("shared-data").key(format!("{other}new.txt"));
        assert_eq!(code(put.body(ByteStream::from_static(b"x")).send().await), "AccessDenied");
        let delete = client.delete_object().bucket("shared-data").key(other_key);
        assert_eq!(code(delete.send().await), "AccessDenied");
        let copy = client.copy_object().copy_source(format!("shared-data/{other_key}"));
        assert_eq!(code(copy.bucket("shared-data").key(format!("{own}stolen")).send().await), "AccessDenied");
        let copy = client.copy_object().copy_source(format!("shared-data/{key}"));
        assert_eq!(
            code(copy.bucket("shared-data").key(format!("{other}planted")).send().await),
            "AccessDenied"
        );
        let head = client.head_object().bucket("shared-data").key(other_key).send().await.unwrap_err();
        assert_eq!(head.raw_response().unwrap().status().as_u16(), 403);
        let head = client.head_bucket().bucket("globex-private").send().await.unwrap_err();
        assert_eq!(head.raw_response().unwrap().status().as_u16(), 403);
    }
    let operator = world.s3(World::operator());
    let all = keys(&operator, "shared-data", None).await.unwrap();
    assert_eq!(
        all,
        ["acme/a.txt", "acme/sub/b c+d.txt", "acme/sub/ü.txt", "globex/g.txt"],
        "nothing was changed"
    );
}

#[tokio::test]
async fn a_denial_says_who_what_and_why() {
    let world = World::start().await;
    let client = world.s3(world.person(ACME, "acme", "okta-ada").await);
    let (_, message) = refusal(client.get_object().bucket("shared-data").key("globex/g.txt").send().await);
    let expected = "User: arn:aws:sts::111122223333:assumed-role/acme/mcp is not authorized to perform: s3:GetObject on \
                    resource: \"arn:aws:s3:::shared-data/globex/g.txt\" because no identity-based policy allows the \
                    s3:GetObject action";
    assert_eq!(message, expected);

    let mallory = world.s3(world.person(ACME, "acme", "okta-mallory").await);
    let (_, message) = refusal(mallory.get_object().bucket("shared-data").key("acme/a.txt").send().await);
    assert!(message.ends_with("with an explicit deny in an identity-based policy"), "{message}");
}

#[tokio::test]
async fn keys_cannot_leave_their_bucket() {
    let world = World::start().await;
    for credentials in [world.person(ACME, "acme", "okta-ada").await, World::operator()] {
        let client = world.s3(credentials);
        let hostile = [
            "acme/../globex/g.txt",
            "acme/../../globex-private/secret.txt",
            "../globex-private/secret.txt",
            "acme/./a.txt",
            "acme//a.txt",
            "/acme/a.txt",
            "//etc/passwd",
            "acme/",
            "acme/a\\b",
            "..",
        ];
        for key in hostile {
            assert_eq!(text(&client, "shared-data", key).await, Err("InvalidArgument".to_owned()), "{key}");
            let put = client.put_object().bucket("shared-data").key(key).body(ByteStream::from_static(b"x"));
            assert_eq!(code(put.send().await), "InvalidArgument", "{key}");
            let copy = client.copy_object().bucket("shared-data").key("acme/stolen");
            let refused = code(copy.copy_source(format!("shared-data/{key}")).send().await);
            assert_eq!(refused, "InvalidArgument", "{key}");
        }
        for bucket in ["..", ".", "shared-data/../globex-private", "%2e%2e"] {
            assert!(keys(&client, bucket, None).await.is_err(), "{bucket}");
        }
    }
}

#[tokio::test]
async fn who_may_not_list_is_not_told_what_exists() {
    let world = World::start().await;
    let task = world.sts(world.task().await);
    let client = world.s3(world.person(ACME, "acme", "okta-ada").await);
    assert_eq!(text(&client, "shared-data", "acme/none.txt").await, denied(), "listing needs a prefix here");
    assert_eq!(text(&client, "shared-data", "acme/sub").await, denied(), "a directory is no object");
    assert_eq!(text(&client, "no-such-bucket", "x").await, Err("NoSuchBucket".to_owned()));
    let operator = world.s3(World::operator());
    assert_eq!(text(&operator, "shared-data", "acme/none.txt").await, Err("NoSuchKey".to_owned()));
    assert_eq!(text(&operator, "shared-data", "acme/sub").await, Err("NoSuchKey".to_owned()));
    // The task role itself has no permission on data at all.
    task.get_caller_identity().send().await.unwrap();
    let task = world.s3(world.task().await);
    assert_eq!(text(&task, "shared-data", "acme/a.txt").await, denied());
    assert_eq!(code(task.list_buckets().send().await), "AccessDenied");
}

#[tokio::test]
async fn buckets_belong_to_accounts() {
    let world = World::start().await;
    let person = world.s3(world.person(ACME, "acme", "okta-ada").await);
    let listed = person.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().map(|bucket| bucket.name().unwrap()).collect();
    assert_eq!(names, ["globex-private", "shared-data"], "the partner's bucket is in another account");
    let page = person.list_buckets().max_buckets(1).send().await.unwrap();
    assert_eq!(page.buckets()[0].name(), Some("globex-private"));
    let rest =
        person.list_buckets().max_buckets(1).set_continuation_token(page.continuation_token).send().await;
    let rest = rest.unwrap();
    assert_eq!(rest.buckets()[0].name(), Some("shared-data"));
    assert_eq!(rest.continuation_token(), None);
    let with_prefix = person.list_buckets().prefix("g").send().await.unwrap();
    assert_eq!(with_prefix.buckets().len(), 1);
    assert_eq!(with_prefix.buckets()[0].bucket_region(), Some("us-east-1"));
    let head = world.s3(World::operator()).head_bucket().bucket("shared-data").send().await.unwrap();
    assert_eq!(head.bucket_region(), Some("us-east-1"));
    let location =
        world.s3(World::operator()).get_bucket_location().bucket("shared-data").send().await.unwrap();
    let name = location.location_constraint().map_or("", |constraint| constraint.as_str());
    assert_eq!(name, "", "us-east-1 has no name there");
    assert_eq!(code(world.s3(World::nobody()).list_buckets().send().await), "AccessDenied");

    // The partner's bucket: both sides must agree, and the person's own policy allows everything there.
    assert_eq!(text(&person, "partner-data", "open/p.txt").await.as_deref(), Ok("partner's open"));
    assert_eq!(text(&person, "partner-data", "closed/p.txt").await, denied());
    let globex = world.s3(world.person(GLOBEX, "globex", "okta-bob").await);
    assert_eq!(text(&globex, "partner-data", "open/p.txt").await, denied());
    let operator = world.s3(World::operator());
    assert_eq!(text(&operator, "partner-data", "open/p.txt").await, denied());

    let get = person.get_object().bucket("partner-data").key("open/p.txt");
    assert_eq!(code(get.expected_bucket_owner("111122223333").send().await), "AccessDenied");
    let get = person.get_object().bucket("partner-data").key("open/p.txt");
    get.expected_bucket_owner("444455556666").send().await.unwrap();
}

#[tokio::test]
async fn a_session_policy_only_takes_away() {
    let world = World::start().await;
    let task = world.sts(world.task().await);
    let base = || {
        let call = task.assume_role().role_arn(ACME).role_session_name("mcp").source_identity("okta-ada");
        call.tags(tag("tenant", "acme"))
    };
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::globex-private/*","arn:aws:s3:::shared-data/*"]},
        {"Effect":"Deny","Action":"s3:GetObject","Resource":"*/sub/*"}]}"#;
    let malformed = base().policy(policy).send().await;
    assert_eq!(code(malformed), "MalformedPolicyDocument", "a resource must be an ARN");
    let policy = policy.replace("\"*/sub/*\"", "\"arn:aws:s3:::*/sub/*\"");
    let narrowed = world.s3(session(base().policy(policy)).await);
    assert_eq!(text(&narrowed, "shared-data", "acme/a.txt").await.as_deref(), Ok("acme's first"));
    assert_eq!(text(&narrowed, "shared-data", "acme/sub/ü.txt").await, denied());
    assert_eq!(text(&narrowed, "globex-private", "secret.txt").await, denied(), "it grants nothing");
    assert_eq!(keys(&narrowed, "shared-data", Some("acme/")).await, denied(), "listing is not in it");
    assert_eq!(text(&narrowed, "partner-data", "open/p.txt").await, denied(), "nor is the partner's bucket");

    let arn = "arn:aws:iam::111122223333:policy/read-only";
    let managed = PolicyDescriptorType::builder().arn(arn).build();
    let reader = world.s3(session(base().policy_arns(managed)).await);
    assert_eq!(text(&reader, "shared-data", "acme/a.txt").await.as_deref(), Ok("acme's first"));
    let put = reader.put_object().bucket("shared-data").key("acme/new").body(ByteStream::from_static(b"x"));
    let (refused, message) = refusal(put.send().await);
    assert_eq!(refused, "AccessDenied");
    assert!(message.ends_with("because no session policy allows the s3:PutObject action"), "{message}");
}

#[tokio::test]
async fn operations_without_a_mapping_are_denied_to_everybody() {
    let world = World::start().await;
    let s3 = world.s3(World::operator());
    let b = "shared-data";
    let codes = [
        code(s3.create_bucket().bucket("brand-new").send().await),
        code(s3.delete_bucket().bucket(b).send().await),
        code(s3.get_bucket_policy().bucket(b).send().await),
        code(s3.put_bucket_policy().bucket(b).policy("{}").send().await),
        code(s3.get_bucket_acl().bucket(b).send().await),
        code(s3.get_bucket_versioning().bucket(b).send().await),
        code(s3.list_object_versions().bucket(b).send().await),
        code(s3.list_multipart_uploads().bucket(b).send().await),
        code(s3.create_multipart_upload().bucket(b).key("k").send().await),
        code(s3.get_object_tagging().bucket(b).key("acme/a.txt").send().await),
        code(s3.get_object_acl().bucket(b).key("acme/a.txt").send().await),
        code(s3.put_object_acl().bucket(b).key("acme/a.txt").acl(ObjectCannedAcl::PublicRead).send().await),
    ];
    for code in codes {
        assert_eq!(code, "AccessDenied");
    }
    let put = s3.put_object().bucket(b).key("k").body(ByteStream::from_static(b"x"));
    assert_eq!(code(put.acl(ObjectCannedAcl::PublicRead).send().await), "NotImplemented");
    let get = s3.get_object().bucket(b).key("acme/a.txt").if_match("x").send().await;
    assert_eq!(code(get), "NotImplemented");
    let get = s3.get_object().bucket(b).key("acme/a.txt").response_content_type("text/html").send().await;
    assert_eq!(code(get), "NotImplemented");
    let list = s3.list_objects_v2().bucket(b).delimiter("ü").send().await;
    assert_eq!(code(list), "NotImplemented");
    let version = s3.get_object().bucket(b).key("acme/a.txt").version_id("v1").send().await;
    assert_eq!(code(version), "NoSuchVersion");
}

#[tokio::test]
async fn objects_are_written_listed_copied_and_deleted() {
    let world = World::start().await;
    let s3 = world.s3(world.person(ACME, "acme", "okta-ada").await);
    let b = "shared-data";
    for key in ["acme/new/1 +%.txt", "acme/new/日本.txt", "acme/new/q?a=b&c.txt"] {
        let body = ByteStream::from(key.as_bytes().to_vec());
        s3.put_object().bucket(b).key(key).content_type("text/x").body(body).send().await.unwrap();
        assert_eq!(text(&s3, b, key).await.as_deref(), Ok(key));
        let head = s3.head_object().bucket(b).key(key).send().await.unwrap();
        assert_eq!(head.content_length(), i64::try_from(key.len()).ok());
        assert_eq!(head.content_type(), Some("text/x"));
    }
    let range = s3.get_object().bucket(b).key("acme/a.txt").range("bytes=0-3").send().await.unwrap();
    assert_eq!(range.body.collect().await.unwrap().to_vec(), b"acme");

    let mut pages = Vec::new();
    let mut token = None;
    loop {
        let call = s3.list_objects_v2().bucket(b).prefix("acme/").max_keys(2);
        let page = call.set_continuation_token(token).send().await.unwrap();
        pages.push(page.contents().len());
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(pages, [2, 2, 2]);
    let folders = s3.list_objects_v2().bucket(b).prefix("acme/").delimiter("/").send().await.unwrap();
    let prefixes: Vec<_> = folders.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap()).collect();
    assert_eq!(prefixes, ["acme/new/", "acme/sub/"]);
    assert_eq!(folders.contents().len(), 1);
    assert_eq!(s3.list_objects().bucket(b).prefix("acme/").send().await.unwrap().contents().len(), 6);

    let copy = s3.copy_object().bucket(b).key("acme/copy.txt").copy_source("shared-data/acme/a.txt");
    copy.send().await.unwrap();
    assert_eq!(text(&s3, b, "acme/copy.txt").await.as_deref(), Ok("acme's first"));
    s3.delete_object().bucket(b).key("acme/copy.txt").send().await.unwrap();
    s3.delete_object().bucket(b).key("acme/copy.txt").send().await.unwrap();

    let object = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder()
        .objects(object("acme/new/日本.txt"))
        .objects(object("globex/g.txt"))
        .build()
        .unwrap();
    let answer = s3.delete_objects().bucket(b).delete(delete).send().await.unwrap();
    assert_eq!(answer.deleted().len(), 1);
    assert_eq!(answer.errors()[0].key(), Some("globex/g.txt"));
    assert_eq!(answer.errors()[0].code(), Some("AccessDenied"));
    let left = keys(&world.s3(World::operator()), b, Some("globex/")).await.unwrap();
    assert_eq!(left, ["globex/g.txt"]);
}

#[tokio::test]
async fn the_trail_names_the_person() {
    let world = World::start().await;
    let s3 = world.s3(world.person(ACME, "acme", "okta-ada").await);
    text(&s3, "shared-data", "acme/a.txt").await.unwrap();
    text(&s3, "shared-data", "globex/g.txt").await.unwrap_err();
    keys(&s3, "shared-data", Some("acme/")).await.unwrap();
    code(s3.get_bucket_acl().bucket("shared-data").send().await);
    let calls = world.sim.calls();
    let calls: Vec<_> = calls.iter().filter(|call| call.event_source == "s3.amazonaws.com").collect();
    let seen: Vec<_> =
        calls.iter().map(|call| (call.event_name.as_str(), call.error_code.as_deref())).collect();
    let expected = [
        ("GetObject", None),
        ("GetObject", Some("AccessDenied")),
        ("ListObjectsV2", None),
        ("GetBucketAcl", Some("AccessDenied")),
    ];
    assert_eq!(seen, expected);
    for call in &calls {
        assert_eq!(call.source_identity.as_deref(), Some("okta-ada"));
        assert_eq!(call.caller_arn.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/acme/mcp"));
        assert_eq!(call.principal_tags["tenant"], "acme");
    }
    assert_eq!(calls[1].request_parameters["key"], "globex/g.txt");
    assert_eq!(calls[2].request_parameters["prefix"], "acme/");
    let record = calls[1].to_cloudtrail();
    assert_eq!(record["userIdentity"]["sessionContext"]["sourceIdentity"], "okta-ada");
    assert_eq!(record["userIdentity"]["type"], "AssumedRole");
    assert_eq!(record["errorCode"], "AccessDenied");
}
