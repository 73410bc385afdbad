//! The tables. Times are milliseconds since 1970, digests base64url, lists and objects JSON text.

pub(super) mod client {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_clients")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) id: String,
        pub(in crate::store) name: Option<String>,
        pub(in crate::store) authentication: String,
        pub(in crate::store) secret_digest: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) redirect_uris: String,
        pub(in crate::store) refreshes: bool,
        pub(in crate::store) registered_at: i64,
        pub(in crate::store) first_used_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod interaction {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_interactions")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) id: String,
        pub(in crate::store) stage: String,
        pub(in crate::store) cookie_digest: String,
        pub(in crate::store) client_id: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) redirect_uri: String,
        pub(in crate::store) redirect_uri_given: bool,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) state: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) resource: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) scope: String,
        pub(in crate::store) code_challenge: String,
        pub(in crate::store) created_at: i64,
        pub(in crate::store) expires_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod grant {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_grants")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) id: String,
        pub(in crate::store) client_id: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) issuer: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) subject: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) tenant: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) display_name: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) email: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) hints: String,
        pub(in crate::store) identity_source: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) resource: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) scope: String,
        pub(in crate::store) authenticated_at: i64,
        pub(in crate::store) expires_at: i64,
        pub(in crate::store) revoked_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod code {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_codes")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) digest: String,
        pub(in crate::store) grant_id: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) redirect_uri: Option<String>,
        pub(in crate::store) code_challenge: String,
        pub(in crate::store) expires_at: i64,
        pub(in crate::store) used_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod refresh_token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_refresh_tokens")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) digest: String,
        pub(in crate::store) grant_id: String,
        pub(in crate::store) expires_at: i64,
        pub(in crate::store) used_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod signing_key {
    use sea_orm::entity::prelude::*;

    /// `current_for` is the algorithm that the key is the current one of, or null; it is unique, so that there is never
    /// more than one.
    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_signing_keys")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) kid: String,
        pub(in crate::store) algorithm: String,
        #[sea_orm(unique)]
        pub(in crate::store) current_for: Option<String>,
        pub(in crate::store) wrapped: Vec<u8>,
        pub(in crate::store) created_at: i64,
    }

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Model").field("kid", &self.kid).finish_non_exhaustive()
        }
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
