//! The example that `connect-server config example` prints.

/// A complete configuration with every setting, its default and what it means.
pub const EXAMPLE: &str = include_str!("../../connect.example.toml");

#[cfg(test)]
mod tests {
    use settings::Document;

    use super::EXAMPLE;
    use crate::config::{Config, PREFIX};

    #[test]
    fn the_example_is_a_valid_configuration() {
        let variables =
            [("OKTA_CLIENT_SECRET", "s"), ("CONNECT_DB_PASSWORD", "p"), ("CONNECT_SEAL_KEY", "k")];
        let document = Document::parse(EXAMPLE, PREFIX, variables).unwrap();
        let config = Config::read(&document).unwrap();
        assert!(config.keys.seal.is_some());
        assert_eq!(config.services.len(), 1);
        assert_eq!(config.identity_providers.len(), 1);
        assert_eq!(config.trusted_issuers.len(), 1);
        assert_eq!(config.workload_issuers.len(), 1);
        assert!(config.ignored_hosts.is_empty(), "{:?}", config.ignored_hosts);
    }
}
