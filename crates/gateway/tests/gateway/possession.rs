//! Tokens that are bound to a key: who holds it is heard, and nobody else (SEC-30 to 34).

use std::{
    future::ready,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use gateway::{DpopRules, ProcessReplays, ProofReplays, Recording, ReplaysUnavailable};
use serde_json::json;

use crate::support::{
    FOREIGN, Holder, RESOURCE, START, Service, World, call, claims, echo, post, proof_claims, with,
};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const ALGS: &str = "algs=\"ES256 ES384 EdDSA Ed25519 PS256 RS256\"";

/// A call by `Authorization: DPoP`, with header lines that hold the proof.
fn bound(token: &str, lines: &str) -> String {
    post(token, lines, PING).replace("Authorization: Bearer", "Authorization: DPoP")
}

fn with_proof(token: &str, proof: &str) -> String {
    bound(token, &format!("DPoP: {proof}\r\n"))
}

/// Status, `error` of the body, and the challenge.
async fn asked(address: SocketAddr, request: String) -> (u16, String, String) {
    let answer = call(address, request).await;
    let error =
        if answer.status == 200 { String::new() } else { answer.json()["error"].as_str().unwrap().into() };
    (answer.status, error, answer.header("www-authenticate").to_owned())
}

#[tokio::test]
async fn the_holder_is_heard_and_the_service_sees_no_proof() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let holder = Holder::new();
    let token = holder.token(&world, "ada");
    for id in ["1", "2"] {
        let proof = holder.sign(&proof_claims(&token, id));
        let answer = call(served.address, with_proof(&token, &proof).replace("DPoP:", "dpop:")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let request = service.request().await;
        assert!(!request.to_ascii_lowercase().contains("dpop") && !request.contains(&proof), "{request}");
        assert!(request.contains("x-source-identity: ada\r\n"), "{request}");
    }
    let seen = served.gateway.metrics().snapshot();
    assert_eq!((seen.cache_hits, seen.cache_misses), (1, 1), "the token is verified once");
}

/// SEC-30: a bound token as a bearer token, with or without its proof -> 401 `invalid_token`, a DPoP challenge
/// SEC-30: a bound token with the DPoP scheme and no proof -> 401 `invalid_dpop_proof`
/// SEC-30: a token that is not bound with the DPoP scheme -> 401 `invalid_token`
#[tokio::test]
async fn a_bound_token_is_no_bearer_token() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let holder = Holder::new();
    let (token, plain) = (holder.token(&world, "ada"), world.token("ada"));
    let proof = |token: &str| format!("DPoP: {}\r\n", holder.sign(&proof_claims(token, "1")));
    let cases = [
        (post(&token, "", PING), "invalid_token", "dpop_downgrade"),
        (post(&token, &proof(&token), PING), "invalid_token", "dpop_downgrade"),
        (bound(&token, ""), "invalid_dpop_proof", "dpop_missing"),
        (bound(&plain, &proof(&plain)), "invalid_token", "token_not_bound"),
        (bound(&plain, ""), "invalid_token", "token_not_bound"),
    ];
    for (request, error, reason) in cases {
        // Once when the token is new, once when its permit is at hand.
        for _ in 0..2 {
            let (status, found, challenge) = asked(served.address, request.clone()).await;
            assert_eq!((status, found.as_str()), (401, error), "{reason}");
            assert!(challenge.starts_with(&format!("DPoP error=\"{error}\"")), "{challenge}");
            assert!(challenge.contains(ALGS) && challenge.contains("resource_metadata="), "{challenge}");
            let line = world.audited().pop().unwrap();
            assert!(line.contains(&format!("\"reason\":\"{reason}\"")) && line.contains("ada"), "{line}");
        }
    }
    assert!(service.is_untouched());
    assert_eq!(call(served.address, post(&plain, "", PING)).await.status, 200, "a bearer token stays one");
}

/// SEC-30: another key, another method, another token's `ath`, an old proof -> 401
/// SEC-31: `htu` by the Host header, of another form of the path, of the service behind -> 401 `invalid_dpop_proof`
/// SEC-31: two DPoP headers, or two proofs in one -> 401 `invalid_dpop_proof`
#[tokio::test]
async fn a_proof_is_for_this_request_only() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let (holder, thief) = (Holder::new(), Holder::new());
    let token = holder.token(&world, "ada");
    let right = proof_claims(&token, "1");
    let changed = |name: &str, value| with_proof(&token, &holder.sign(&with(right.clone(), name, value)));
    let good = holder.sign(&right);
    let cases = [
        (with_proof(&token, &thief.sign(&right)), "invalid_token", "dpop_other_key"),
        (changed("htm", json!("GET")), "invalid_dpop_proof", "dpop_method"),
        (changed("htu", json!(RESOURCE)), "invalid_dpop_proof", "dpop_url"),
        (changed("htu", json!("https://evil.test/mcp/platform/mcp")), "invalid_dpop_proof", "dpop_url"),
        (changed("htu", json!(format!("http://{}/mcp", service.address))), "invalid_dpop_proof", "dpop_url"),
        (changed("iat", json!(START - 60)), "invalid_dpop_proof", "dpop_old"),
        (changed("iat", json!(START + 6)), "invalid_dpop_proof", "dpop_ahead"),
        (changed("jti", json!(null)), "invalid_dpop_proof", "dpop_claim"),
        (changed("ath", json!(null)), "invalid_dpop_proof", "dpop_claim"),
        (
            with_proof(&token, &holder.sign(&proof_claims("other", "1"))),
            "invalid_dpop_proof",
            "dpop_access_token",
        ),
        (bound(&token, &format!("DPoP: {good}\r\nDPoP: {good}\r\n")), "invalid_dpop_proof", "dpop_several"),
        (with_proof(&token, &format!("{good},{good}")), "invalid_dpop_proof", "dpop_several"),
        (with_proof(&token, &good.replace('.', "..")), "invalid_dpop_proof", "dpop_malformed"),
    ];
    for (request, error, reason) in cases {
        let request = request.replace("Host: connect.example.com", "Host: evil.test");
        let (status, found, challenge) = asked(served.address, request).await;
        assert_eq!((status, found.as_str()), (401, error), "{reason}");
        assert!(challenge.starts_with(&format!("DPoP error=\"{error}\"")), "{challenge}");
        let line = world.audited().pop().unwrap();
        assert!(line.contains(&format!("\"reason\":\"{reason}\"")), "{line}");
    }
    assert!(service.is_untouched());
    let behind_a_balancer =
        with_proof(&token, &good).replace("Host: connect.example.com", "Host: 10.0.0.7:8080");
    assert_eq!(call(served.address, behind_a_balancer).await.status, 200, "the public URL counts, not Host");
    let spelt = json!("HTTPS://CONNECT.example.com:443/mcp/%70latform/mcp?x#y");
    let spelt = with(with(right, "htu", spelt), "jti", json!("2"));
    let request = with_proof(&token, &holder.sign(&spelt)).replace("/mcp HTTP", "/mcp?q=1 HTTP");
    assert_eq!(call(served.address, request).await.status, 200, "spelling and query do not count");
}

/// SEC-30: a proof used a second time -> 401 `invalid_dpop_proof`
#[tokio::test]
async fn a_proof_counts_once() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let holder = Holder::new();
    let token = holder.token(&world, "ada");
    let request = with_proof(&token, &holder.sign(&proof_claims(&token, "1")));
    assert_eq!(call(served.address, &request).await.status, 200);
    service.request().await;
    let later = with(proof_claims(&token, "1"), "iat", json!(START + 1));
    for again in [request, with_proof(&token, &holder.sign(&later))] {
        let (status, error, challenge) = asked(served.address, again).await;
        assert_eq!((status, error.as_str()), (401, "invalid_dpop_proof"));
        assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\""), "{challenge}");
    }
    assert!(world.audited().pop().unwrap().contains("\"reason\":\"dpop_replayed\""));
    assert!(service.is_untouched());
}

/// Counts what it is asked to record, and cannot.
#[derive(Default)]
struct Away(AtomicUsize);

impl ProofReplays for Away {
    fn use_once(&self, _: [u8; 32], _: SystemTime, _: SystemTime) -> Recording<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(ready(Err(ReplaysUnavailable)))
    }
}

/// SEC-33: the record of used proofs is full or away -> 503, the call is not made
/// SEC-33: proofs that would be refused anyway -> 401, nothing is recorded
#[tokio::test]
async fn without_a_record_nothing_is_done() {
    let away = Arc::new(Away::default());
    let full = Arc::new(ProcessReplays::with_capacity(0));
    let stores: [Arc<dyn ProofReplays>; 2] = [away.clone(), full];
    for replays in stores {
        let world = World::with_dpop(DpopRules { replays, ..DpopRules::in_process(&[7; 32]) }).await;
        let mut service = Service::start(echo).await;
        let served = world.serve(service.address).await;
        let holder = Holder::new();
        let token = holder.token(&world, "ada");
        let answer = call(served.address, with_proof(&token, &holder.sign(&proof_claims(&token, "1")))).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
        let stranger = with_proof(&token, &Holder::new().sign(&proof_claims(&token, "2")));
        assert_eq!(call(served.address, stranger).await.status, 401);
        assert_eq!(call(served.address, post(&token, "", PING)).await.status, 401);
        world.revoked.revoke("sid-ada");
        let revoked = with_proof(&token, &holder.sign(&proof_claims(&token, "3")));
        assert_eq!(call(served.address, revoked).await.status, 401);
        assert!(service.is_untouched());
    }
    assert_eq!(away.0.load(Ordering::SeqCst), 1);
}

/// SEC-32: no nonce where one is demanded, or an old one -> 401 `use_dpop_nonce` with a nonce that works
/// SEC-32: a nonce that is not ours where none is demanded -> 401 `use_dpop_nonce`
#[tokio::test]
async fn a_nonce_is_handed_out_and_then_demanded() {
    for is_nonce_required in [true, false] {
        let world =
            World::with_dpop(DpopRules { is_nonce_required, ..DpopRules::in_process(&[7; 32]) }).await;
        let mut service = Service::start(echo).await;
        let served = world.serve(service.address).await;
        let holder = Holder::new();
        let token = holder.token(&world, "ada");
        let proof = |id: &str, nonce: &str, iat: u64| {
            let claims = with(proof_claims(&token, id), "iat", json!(iat));
            let nonce = if nonce.is_empty() { json!(null) } else { json!(nonce) };
            with_proof(&token, &holder.sign(&with(claims, "nonce", nonce)))
        };
        let without = call(served.address, proof("1", "", START)).await;
        assert_eq!(without.status, if is_nonce_required { 401 } else { 200 });
        let refused = call(served.address, proof("2", "of-somebody-else", START)).await;
        assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("use_dpop_nonce")));
        assert!(refused.header("www-authenticate").starts_with("DPoP error=\"use_dpop_nonce\""));
        let nonce = refused.header("dpop-nonce");
        assert_eq!(nonce.len(), 43);
        assert_eq!(call(served.address, proof("3", nonce, START)).await.status, 200);
        world.hands.move_by(600);
        let old = call(served.address, proof("4", nonce, START + 600)).await;
        assert_eq!((old.status, old.json()["error"].as_str()), (401, Some("use_dpop_nonce")));
        assert_ne!(old.header("dpop-nonce"), nonce);
        assert!(service.request().await.contains("x-decided-role"));
    }
}

/// SEC-34: a token bound to a certificate, or bound in several ways or in none that is known -> 401 `invalid_token`
#[tokio::test]
async fn other_confirmations_are_refused() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let holder = Holder::new();
    let jkt = holder.thumbprint();
    let certificate = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
    let cases = [
        json!({ "x5t#S256": certificate }),
        json!({ "jkt": jkt, "x5t#S256": certificate }),
        json!({ "jwk": {} }),
        json!({}),
        json!("jkt"),
        json!({ "jkt": 7 }),
        json!({ "jkt": format!("{jkt}=") }),
        json!([{ "jkt": jkt }]),
    ];
    for cnf in cases {
        let ours = world.issuer.sign(&with(claims("ada"), "cnf", cnf.clone()));
        let theirs = world.foreign.sign(&json!({
            "iss": FOREIGN, "aud": RESOURCE, "sub": "robot", "iat": START, "exp": START + 900, "cnf": cnf,
        }));
        for token in [ours, theirs] {
            let proof = holder.sign(&proof_claims(&token, "1"));
            let lines = format!("DPoP: {proof}\r\nX-Amzn-Mtls-Clientcert: spoof\r\n");
            for request in [post(&token, &lines, PING), bound(&token, &lines)] {
                let (status, error, _) = asked(served.address, request).await;
                assert_eq!((status, error.as_str()), (401, "invalid_token"), "{cnf}");
                let line = world.audited().pop().unwrap();
                assert!(line.contains("\"reason\":\"confirmation_not_supported\""), "{line}");
            }
        }
    }
    assert!(service.is_untouched());
}

/// SEC-34: a client's copies of certificate headers -> removed before the service
#[tokio::test]
async fn nobody_claims_a_certificate() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let lines = "X-Amzn-Mtls-Clientcert: spoof\r\nx-amzn-mtls-clientcert-leaf: spoof\r\nX-Forwarded-Client-Cert: spoof\r\n\
                 Client-Cert: :spoof:\r\nClient-Cert-Chain: :spoof:\r\nX-Client-Cert: spoof\r\nX-SSL-Client-Cert: spoof\r\n\
                 SSL-Client-Verify: spoof\r\nX_Amzn_Mtls_Clientcert: spoof\r\n";
    assert_eq!(call(served.address, post(&world.token("ada"), lines, PING)).await.status, 200);
    let request = service.request().await;
    assert!(!request.contains("spoof"), "{request}");
}

/// SEC-30: a bearer token at a service that demands bound ones -> 401 `invalid_token`, a DPoP challenge
#[tokio::test]
async fn a_service_can_demand_bound_tokens() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve_with(service.address, |config| config.services[0].dpop_required = true).await;
    let holder = Holder::new();
    let (token, plain) = (holder.token(&world, "ada"), world.token("ada"));
    let (status, error, challenge) = asked(served.address, post(&plain, "", PING)).await;
    assert_eq!((status, error.as_str()), (401, "invalid_token"));
    assert!(challenge.starts_with("DPoP error=\"invalid_token\""), "{challenge}");
    assert!(service.is_untouched());
    let anonymous = post("", "", PING).replace("Authorization: Bearer \r\n", "");
    let (status, _, challenge) = asked(served.address, anonymous).await;
    assert!(status == 401 && challenge.starts_with("DPoP resource_metadata="), "{challenge}");
    let request = with_proof(&token, &holder.sign(&proof_claims(&token, "1")));
    assert_eq!(call(served.address, request).await.status, 200);
    let document = "GET /.well-known/oauth-protected-resource/mcp/platform HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(call(served.address, document).await.json()["dpop_bound_access_tokens_required"], true);
}
