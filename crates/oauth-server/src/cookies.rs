//! Cookies that bind an interaction or a session to one browser.
//!
//! Each stage of each interaction has its own cookie, so that several tabs do not disturb each other and what was known
//! before consent is worth nothing after it. The cookie's value is the secret from which everything else that belongs to
//! this browser is derived; the store keeps only its digest.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    config::OAuthConfig,
    random::Digest,
    store::{Interaction, Stage},
};

/// The name of the cookie of a stage. `__Host-` keeps it to this origin (RFC 6265bis §4.1.3.2) and needs https; on plain
/// http, which is for loopback only, browsers would drop it.
fn name(config: &OAuthConfig, stage: Stage, interaction_id: &str) -> String {
    let prefix = if config.is_secure() { "__Host-" } else { "" };
    let stage = match stage {
        Stage::Consent => "consent",
        Stage::SignIn => "sign-in",
    };
    format!("{prefix}connect-{stage}-{interaction_id}")
}

/// The header that sets the cookie of a stage.
pub(crate) fn set(
    config: &OAuthConfig,
    stage: Stage,
    interaction_id: &str,
    secret: &SecretString,
) -> Option<HeaderValue> {
    let name = name(config, stage, interaction_id);
    render(config, &name, secret.expose_secret(), config.interaction_lifetime)
}

/// The header that removes it.
pub(crate) fn clear(config: &OAuthConfig, stage: Stage, interaction_id: &str) -> Option<HeaderValue> {
    render(config, &name(config, stage, interaction_id), "", Duration::ZERO)
}

/// The name of the cookie of a session.
fn session_name(config: &OAuthConfig) -> &'static str {
    if config.is_secure() { "__Host-connect-session" } else { "connect-session" }
}

/// The header that sets the cookie of a session.
pub(crate) fn set_session(config: &OAuthConfig, secret: &SecretString) -> Option<HeaderValue> {
    render(config, session_name(config), secret.expose_secret(), config.session_absolute_lifetime)
}

/// The header that removes it.
pub(crate) fn clear_session(config: &OAuthConfig) -> Option<HeaderValue> {
    render(config, session_name(config), "", Duration::ZERO)
}

/// The cookie of a session, if the browser sent exactly one. Whether it is one is for the store to say.
pub(crate) fn session(config: &OAuthConfig, headers: &HeaderMap) -> Option<SecretString> {
    only(headers, session_name(config)).map(SecretString::from)
}

fn render(config: &OAuthConfig, name: &str, value: &str, life: Duration) -> Option<HeaderValue> {
    let secure = if config.is_secure() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", life.as_secs());
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// The cookie of an interaction's present stage, if the browser sent exactly one and it is the right one.
pub(crate) fn verified(
    config: &OAuthConfig,
    headers: &HeaderMap,
    interaction: &Interaction,
) -> Option<SecretString> {
    let value = only(headers, &name(config, interaction.stage, &interaction.id))?;
    Digest::of_text(value).matches(&interaction.cookie).then(|| SecretString::from(value))
}

/// The value of a cookie that the browser sent exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let (value, None) = (values.next()?, values.next()) else { return None };
    Some(value)
}

/// A value for one purpose, made from the cookie. Who does not have the cookie cannot make it.
pub(crate) fn derive(purpose: &str, interaction_id: &str, secret: &SecretString) -> String {
    Digest::of_parts(&[purpose, interaction_id, secret.expose_secret()]).to_text()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::{HeaderMap, HeaderValue, header};
    use secrecy::{ExposeSecret, SecretString};

    use super::{clear, clear_session, derive, session, set, set_session, verified};
    use crate::{
        config::OAuthConfig,
        random::Digest,
        store::{CodeRequest, Interaction, Purpose, Stage},
    };

    fn purpose() -> Purpose {
        Purpose::Code(CodeRequest {
            client_id: String::new(),
            redirect_uri: String::new(),
            redirect_uri_given: false,
            state: None,
            resource: String::new(),
            scope: String::new(),
            client_fingerprint: None,
            code_challenge: String::new(),
            dpop_jkt: None,
            nonce: None,
        })
    }

    fn interaction(secret: &str) -> Interaction {
        Interaction {
            id: "i1".into(),
            stage: Stage::Consent,
            cookie: Digest::of(&SecretString::from(secret)),
            purpose: purpose(),
            created_at: UNIX_EPOCH,
            expires_at: UNIX_EPOCH,
        }
    }

    #[test]
    fn the_prefix_goes_with_https() {
        let cases = [
            (
                "https://c.example",
                "__Host-connect-consent-i1=s; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure",
            ),
            ("http://localhost:1", "connect-consent-i1=s; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        ];
        for (url, expected) in cases {
            let config = OAuthConfig::new(url, Vec::new());
            let header = set(&config, Stage::Consent, "i1", &SecretString::from("s")).unwrap();
            assert_eq!(header.to_str().unwrap(), expected);
            assert!(header.is_sensitive());
            assert!(
                clear(&config, Stage::Consent, "i1")
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .contains("=; Path=/; Max-Age=0")
            );
        }
    }

    #[test]
    fn only_the_one_right_cookie_binds() {
        let config = OAuthConfig::new("https://c.example", Vec::new());
        let cases = [
            ("__Host-connect-consent-i1=right", true),
            ("a=b; __Host-connect-consent-i1=right; c=d", true),
            ("__Host-connect-consent-i1=wrong", false),
            ("__Host-connect-consent-i1=right; __Host-connect-consent-i1=wrong", false),
            ("connect-consent-i1=right", false),
            ("__Host-connect-sign-in-i1=right", false),
            ("__Host-connect-consent-i2=right", false),
            ("", false),
        ];
        for (text, bound) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(text));
            let found = verified(&config, &headers, &interaction("right"));
            assert_eq!(found.is_some_and(|secret| secret.expose_secret() == "right"), bound, "{text}");
        }
    }

    #[test]
    fn a_session_has_one_cookie() {
        let config = OAuthConfig::new("https://c.example", Vec::new());
        let header = set_session(&config, &SecretString::from("s")).unwrap();
        let expected = "__Host-connect-session=s; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(header.to_str().unwrap(), expected);
        assert!(clear_session(&config).unwrap().to_str().unwrap().contains("=; Path=/; Max-Age=0"));
        let loopback = OAuthConfig::new("http://localhost:1", Vec::new());
        assert!(
            set_session(&loopback, &SecretString::from("s"))
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("connect-session=s;")
        );
        for (text, found) in [
            ("__Host-connect-session=a", Some("a")),
            ("x=y; __Host-connect-session=a", Some("a")),
            ("__Host-connect-session=a; __Host-connect-session=b", None),
            ("connect-session=a", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(text));
            let secret = session(&config, &headers);
            assert_eq!(secret.as_ref().map(ExposeSecret::expose_secret), found, "{text}");
        }
    }

    #[test]
    fn derived_values_differ_by_purpose_interaction_and_secret() {
        let secret = SecretString::from("s");
        let one = derive("csrf", "i1", &secret);
        assert_ne!(one, derive("state", "i1", &secret));
        assert_ne!(one, derive("csrf", "i2", &secret));
        assert_ne!(one, derive("csrf", "i1", &SecretString::from("t")));
    }
}
