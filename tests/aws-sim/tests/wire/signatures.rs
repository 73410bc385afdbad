//! Requests that are not what their signer signed.

use aws_credential_types::Credentials;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use std::time::Duration;

use crate::world::{ACME, GLOBEX, OPEN, Tamper, World, code};

/// Answers of both services to the same credentials.
async fn codes(world: &World, credentials: Credentials) -> (String, String) {
    let sts = world.sts(credentials.clone()).get_caller_identity().send().await;
    let s3 = world.s3(credentials).list_buckets().send().await;
    (code(sts), code(s3))
}

fn pair(sts: &str, s3: &str) -> (String, String) {
    (sts.to_owned(), s3.to_owned())
}

#[tokio::test]
async fn keys_secrets_and_tokens_belong_together() {
    let world = World::start().await;
    let key = |id: &str, secret: &str, token: Option<&str>| {
        Credentials::new(id, secret, token.map(str::to_owned), None, "test")
    };
    let ada = world.person(ACME, "acme", "okta-ada").await;
    let bob = world.person(GLOBEX, "globex", "okta-bob").await;
    let (id, secret) = (ada.access_key_id(), ada.secret_access_key());

    let wrong_secret = codes(&world, key("AKIAOPERATOR00000000", "guess", None)).await;
    assert_eq!(wrong_secret, pair("SignatureDoesNotMatch", "SignatureDoesNotMatch"));
    let unknown_key = codes(&world, key("AKIAUNKNOWN000000000", "operator-secret", None)).await;
    assert_eq!(unknown_key, pair("InvalidClientTokenId", "InvalidAccessKeyId"));
    let token = pair("InvalidClientTokenId", "InvalidToken");
    assert_eq!(codes(&world, key(id, secret, None)).await, token, "a session without its token");
    assert_eq!(codes(&world, key(id, secret, Some("x"))).await, token, "a made-up token");
    assert_eq!(codes(&world, key(id, secret, bob.session_token())).await, token, "another session's token");
    let long_term = key("AKIAOPERATOR00000000", "operator-secret", bob.session_token());
    assert_eq!(codes(&world, long_term).await, token, "a token beside a long-term key");
    let mixed = key(id, bob.secret_access_key(), ada.session_token());
    assert_eq!(codes(&world, mixed).await, pair("SignatureDoesNotMatch", "SignatureDoesNotMatch"));
    world.sts(ada).get_caller_identity().send().await.unwrap();
}

#[tokio::test]
async fn sessions_end() {
    let world = World::start().await;
    let task = world.sts(world.task().await);
    let call = task.assume_role().role_arn(OPEN).role_session_name("mcp").duration_seconds(900);
    let short = crate::world::session(call).await;
    world.s3(short.clone()).list_buckets().send().await.unwrap();
    world.set_ahead(899);
    world.s3(short.clone()).list_buckets().send().await.unwrap();
    world.set_ahead(901);
    assert_eq!(codes(&world, short).await, pair("ExpiredToken", "ExpiredToken"));
    world.set_ahead(0);
    let cut = world.person(ACME, "acme", "okta-ada").await;
    world.sim.expire_sessions();
    assert_eq!(codes(&world, cut).await, pair("ExpiredToken", "ExpiredToken"));
    world.set_ahead(1);
    let fresh = world.person(ACME, "acme", "okta-ada").await;
    world.s3(fresh).list_buckets().send().await.unwrap();
}

#[tokio::test]
async fn old_requests_and_other_scopes_are_refused() {
    let world = World::start().await;
    world.set_ahead(15 * 60 + 5);
    assert_eq!(codes(&world, World::operator()).await, pair("SignatureDoesNotMatch", "RequestTimeTooSkewed"));
    world.set_ahead(0);
    let config = world.s3_config(World::operator()).region(Region::new("eu-central-1"));
    let client = aws_sdk_s3::Client::from_conf(config.build());
    assert_eq!(code(client.list_buckets().send().await), "AuthorizationHeaderMalformed");
}

fn header(request: &mut HttpRequest, name: &'static str, value: &str) {
    request.headers_mut().insert(name, value.to_owned());
}

#[tokio::test]
async fn what_was_changed_after_signing_is_refused() {
    let world = World::start().await;
    let s3 = world.s3(World::operator());
    let get = |tamper: fn(&mut HttpRequest)| {
        let call = s3.get_object().bucket("shared-data").key("acme/a.txt").customize();
        async move { code(call.interceptor(Tamper(tamper)).send().await) }
    };
    let mismatch = "SignatureDoesNotMatch";
    let other_key = get(|request| {
        let uri = request.uri().replace("acme/a.txt", "globex/g.txt");
        request.set_uri(uri).unwrap();
    });
    assert_eq!(other_key.await, mismatch);
    let other_query = get(|request| {
        let uri = request.uri().replace("x-id=GetObject", "x-id=GetObject&versionId=null");
        request.set_uri(uri).unwrap();
    });
    assert_eq!(other_query.await, mismatch);
    let other_method = get(|request| request.set_method("DELETE").unwrap());
    assert_eq!(other_method.await, mismatch);
    let other_host = get(|request| header(request, "host", "127.0.0.1:1"));
    assert_eq!(other_host.await, mismatch);
    let other_date = get(|request| {
        let date = request.headers().get("x-amz-date").unwrap().to_owned();
        let moved = format!("{}00Z", date.split_at(13).0);
        header(request, "x-amz-date", if moved == date { "20260101T000001Z" } else { &moved });
    });
    assert!([mismatch, "AuthorizationHeaderMalformed"].contains(&other_date.await.as_str()));
    let unsigned = get(|request| header(request, "x-amz-copy-source", "globex-private/secret.txt"));
    assert_eq!(unsigned.await, "AuthorizationHeaderMalformed", "every x-amz- header must be signed");
    let unsigned_token = get(|request| header(request, "x-amz-security-token", "x"));
    assert_eq!(unsigned_token.await, "InvalidToken");
    let cut = get(|request| {
        let authorization = request.headers().get("authorization").unwrap().to_owned();
        header(request, "authorization", authorization.trim_end_matches(|c: char| c.is_ascii_hexdigit()));
    });
    assert_eq!(cut.await, mismatch);
    let without_host = get(|request| {
        let authorization = request.headers().get("authorization").unwrap().replace("host;", "");
        header(request, "authorization", &authorization);
    });
    assert_eq!(without_host.await, "AuthorizationHeaderMalformed");
    let version_2 = get(|request| header(request, "authorization", "AWS AKIAOPERATOR00000000:c2lnbmF0dXJl"));
    assert_eq!(version_2.await, "InvalidRequest");
    let anonymous = get(|request| {
        request.headers_mut().remove("authorization");
    });
    assert_eq!(anonymous.await, "AccessDenied");

    let put =
        s3.put_object().bucket("shared-data").key("acme/a.txt").body(ByteStream::from_static(b"honest"));
    let swapped =
        put.customize().interceptor(Tamper(|request| *request.body_mut() = SdkBody::from("forged")));
    swapped.send().await.unwrap_err();
    let object = s3.get_object().bucket("shared-data").key("acme/a.txt").send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"acme's first");

    let sts = world.sts(World::operator());
    let call = sts.assume_role().role_arn(OPEN).role_session_name("mcp").customize();
    let forged = call.interceptor(Tamper(|request| {
        let body = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Ftenants%2F\
                    untagged&RoleSessionName=mcp";
        header(request, "content-length", &body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
    }));
    assert_eq!(code(forged.send().await), mismatch);
}

#[tokio::test]
async fn signatures_in_the_address_are_not_taken() {
    let world = World::start().await;
    let s3 = world.s3(World::operator());
    let expires = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let presigned = s3.get_object().bucket("shared-data").key("acme/a.txt").presigned(expires).await.unwrap();
    let base = world.sim.endpoint_url();
    let addresses = [
        presigned.uri().to_owned(),
        format!(
            "{base}/shared-data/acme/a.txt?AWSAccessKeyId=AKIAOPERATOR00000000&Signature=x&Expires=9999999999"
        ),
        format!("{base}/shared-data/acme/a.txt"),
        format!("{base}/shared-data"),
        base.clone(),
        format!("{base}/?Action=GetCallerIdentity&Version=2011-06-15"),
    ];
    for address in addresses {
        let response = reqwest::get(&address).await.unwrap();
        assert!(response.status().is_client_error(), "{address}: {}", response.status());
        assert!(!response.text().await.unwrap().contains("acme's first"));
    }
    let form = [("key", "x"), ("file", "y")];
    let upload = reqwest::Client::new().post(format!("{base}/shared-data")).form(&form).send().await.unwrap();
    assert!(upload.status().is_client_error());
}
