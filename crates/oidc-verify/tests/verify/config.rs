//! Configurations that cannot be built.

use std::time::Duration;

use oidc_verify::{Algorithm, ConfigError, IssuerConfig, IssuerSet};

use crate::signer::{AUDIENCE, ISSUER, Signer, config};

#[test]
fn nothing_essential_can_be_left_out() {
    let issuer = || ISSUER.to_owned();
    let start = || IssuerConfig::builder(ISSUER);
    let whole = || config(Algorithm::Es256);
    let cases = [
        (start().algorithms([Algorithm::Es256]), ConfigError::Audiences { issuer: issuer() }),
        (whole().audience(""), ConfigError::Audiences { issuer: issuer() }),
        (start().audience(AUDIENCE), ConfigError::Algorithms { issuer: issuer() }),
        (whole().token_types(Vec::<String>::new()), ConfigError::TokenTypes { issuer: issuer() }),
        (whole().token_types([""]), ConfigError::TokenTypes { issuer: issuer() }),
        (whole().required_claims([""]), ConfigError::EmptyName { issuer: issuer() }),
        (whole().authorized_parties([""]), ConfigError::EmptyName { issuer: issuer() }),
        (whole().tenant_claim("tenant"), ConfigError::TenantClaim { pointer: "tenant".to_owned() }),
        (whole().tenant_claim(""), ConfigError::TenantClaim { pointer: String::new() }),
        (whole().tenant_claim("/a~"), ConfigError::TenantClaim { pointer: "/a~".to_owned() }),
        (whole().tenant_claim("/a~2"), ConfigError::TenantClaim { pointer: "/a~2".to_owned() }),
        (whole().leeway(Duration::from_secs(301)), ConfigError::Leeway { leeway: Duration::from_secs(301) }),
    ];
    for (builder, expected) in cases {
        assert_eq!(builder.build().map(drop), Err(expected));
    }
    assert!(whole().tenant_claim("/a~1b/~0").leeway(Duration::from_mins(5)).build().is_ok());
}

#[test]
fn issuers_are_https_or_on_this_machine() {
    let cases = [
        ("https://idp.example.com", true),
        ("https://idp.example.com/", true),
        ("https://idp.example.com:8443/realms/a", true),
        ("http://127.0.0.1:8080", true),
        ("http://localhost:8080/x", true),
        ("http://[::1]:8080", true),
        ("", false),
        ("idp.example.com", false),
        ("accounts.google.com", false),
        ("http://idp.example.com", false),
        ("http://localhost.evil.example", false),
        ("http://127.0.0.1.evil.example", false),
        ("ftp://idp.example.com", false),
        ("file:///etc/passwd", false),
        ("https://user@idp.example.com", false),
        ("https://:secret@idp.example.com", false),
        ("https://idp.example.com?x=1", false),
        ("https://idp.example.com#x", false),
    ];
    for (issuer, expected) in cases {
        let built = IssuerConfig::builder(issuer).audience(AUDIENCE).algorithms([Algorithm::Rs256]).build();
        assert_eq!(built.is_ok(), expected, "{issuer}");
        if !expected {
            assert_eq!(built.map(drop), Err(ConfigError::Issuer { issuer: issuer.to_owned() }));
        }
    }
}

#[test]
fn a_set_has_each_issuer_once_and_at_least_one() {
    assert_eq!(IssuerSet::new([]).map(drop), Err(ConfigError::NoIssuer));
    let signer = Signer::es256("1");
    let twice = IssuerSet::new([signer.verifier(), signer.verifier()]).map(drop);
    assert_eq!(twice, Err(ConfigError::DuplicateIssuer { issuer: ISSUER.to_owned() }));
}
