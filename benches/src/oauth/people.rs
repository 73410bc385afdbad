//! People who have just signed in: grants with a code each, put into the store as the server does.

use std::time::{Duration, SystemTime};

use audit::AuditUnavailable;
use benches::Outcome;
use oauth_server::{
    Digest,
    identity::Identity,
    store::{
        Client, ClientAuthentication, ClientOrigin, ClientSettings, ClientStore as _, Code, CodeRequest,
        Grant, GrantKind, GrantType, Interaction, InteractionStore as _, Purpose, SeaOrmStore, SecretMethod,
        Stage, connect_options,
    },
};
use secrecy::SecretString;
use serde_json::json;

use crate::server::{ISSUER, PROVIDER, RESOURCE};

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "https://claude.ai/api/mcp/auth_callback";
const HOUR: Duration = Duration::from_hours(1);

/// How many clients share the grants. Each may introspect so much a minute.
pub(crate) const CLIENTS: usize = 100;

pub(crate) fn client_id(index: usize) -> String {
    format!("client-{:03}", index % CLIENTS)
}

pub(crate) fn client_secret(index: usize) -> String {
    format!("secret-of-client-{:03}", index % CLIENTS)
}

pub(crate) fn code(index: usize) -> String {
    format!("code-number-{index:08}")
}

/// Makes the clients, and for each grant a code.
pub(crate) async fn sign_in(database: &str, origin: &str, grants: usize) -> Outcome {
    let store = SeaOrmStore::new(sea_orm::Database::connect(connect_options(database)).await?);
    let now = clock();
    for index in 0..CLIENTS {
        store.insert_client(&client(index, now), u64::MAX, now, &recorded).await?;
    }
    for index in 0..grants {
        grant(&store, origin, index, now).await?;
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a confirmation")]
fn recorded() -> Result<(), AuditUnavailable> {
    Ok(())
}

fn client(index: usize, now: SystemTime) -> Client {
    let digest = Digest::of(&SecretString::from(client_secret(index)));
    Client {
        id: client_id(index),
        name: Some("Claude".into()),
        authentication: ClientAuthentication::Secret { method: SecretMethod::Post, digest, previous: None },
        redirect_uris: vec![REDIRECT.into()],
        grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
        origin: ClientOrigin::Operator,
        settings: ClientSettings::default(),
        registered_at: now,
        first_used_at: None,
        registration_token: None,
    }
}

async fn grant(store: &SeaOrmStore, origin: &str, index: usize, now: SystemTime) -> Outcome {
    let id = format!("{index:022}");
    let cookie = Digest::of(&SecretString::from("cookie"));
    let request = CodeRequest {
        client_id: client_id(index),
        redirect_uri: REDIRECT.into(),
        redirect_uri_given: true,
        state: None,
        resource: format!("{origin}{RESOURCE}"),
        scope: "platform".into(),
        code_challenge: CHALLENGE.into(),
        dpop_jkt: None,
        nonce: None,
        client_fingerprint: None,
    };
    let interaction = Interaction {
        id: id.clone(),
        stage: Stage::SignIn,
        cookie,
        purpose: Purpose::Code(request),
        created_at: now,
        expires_at: now + HOUR,
    };
    store.insert_interaction(&interaction, u64::MAX).await?;
    let hints = json!({ "groups": ["staff", "readers"], "department": "lab" });
    let grant = Grant {
        id: id.clone(),
        client_id: client_id(index),
        identity: Identity {
            issuer: ISSUER.into(),
            subject: format!("auth0|person-{index:06}"),
            tenant: Some("acme".into()),
            display_name: Some("Ada Lovelace".into()),
            email: Some("ada@example.com".into()),
            hints: hints.as_object().cloned().unwrap_or_default(),
        },
        identity_source: PROVIDER.into(),
        resource: format!("{origin}{RESOURCE}"),
        scope: "platform".into(),
        authenticated_at: now,
        expires_at: now + 24 * 90 * HOUR,
        revoked_at: None,
        kind: GrantKind::Code,
        last_used_at: None,
        dpop_jkt: None,
        device: None,
        upstream_session: None,
        client_fingerprint: None,
    };
    let code = Code {
        digest: Digest::of(&SecretString::from(code(index))),
        grant_id: id.clone(),
        redirect_uri: Some(REDIRECT.into()),
        code_challenge: CHALLENGE.into(),
        dpop_jkt: None,
        nonce: None,
        expires_at: now + HOUR,
        used_at: None,
    };
    store.complete_interaction(&id, &cookie, &grant, &code, now, &recorded).await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the bench runs on the machine's own time")]
fn clock() -> SystemTime {
    SystemTime::now()
}
