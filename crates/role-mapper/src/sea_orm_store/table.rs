//! Rows of the document to rows of the database and back, one row at a time: what cannot be read is noted, not fatal.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityName, EntityTrait, FromQueryResult,
    IntoActiveModel, ModelTrait, QueryFilter, QueryResult, QueryTrait,
};
use serde::{Serialize, de::DeserializeOwned};

use super::entity::{role, rule, subject, tenant};
use crate::{Problem, Role, RowKey, Rule, StoreError, Subject, SubjectMatch, Tenant, problem::quoted};

/// A row of the document that has a table.
pub(super) trait Table: Sized + Send {
    type Entity: EntityTrait<Model = Self::Model, ActiveModel = Self::ActiveModel>;
    type Model: ModelTrait<Entity = Self::Entity>
        + FromQueryResult
        + IntoActiveModel<Self::ActiveModel>
        + Send;
    type ActiveModel: ActiveModelTrait<Entity = Self::Entity> + Send;

    /// The column that names the tenant.
    const TENANT: <Self::Entity as EntityTrait>::Column;

    fn into_model(self) -> Self::Model;
    fn from_model(model: Self::Model) -> Result<Self, Fault>;
    fn key(row: &QueryResult) -> Result<RowKey, DbErr>;

    /// What stands for a row that cannot be read, where its absence would allow more.
    fn stand_in(_key: &RowKey, _tenant: &str) -> Option<Self> {
        None
    }
}

/// Why a row cannot be read.
pub(super) struct Fault {
    field: &'static str,
    found: String,
    expected: &'static str,
}

/// All rows, or those of some tenants.
///
/// Without its key or tenant a row cannot be laid at anybody's door: that fails the whole read. To pass it over could
/// allow more than it did: it may pin a person to a tenant, or be the narrower rule that comes first.
pub(super) async fn fetch<T: Table>(
    database: &impl ConnectionTrait,
    tenants: Option<&BTreeSet<String>>,
    unreadable: &mut Vec<Problem>,
) -> Result<Vec<T>, StoreError> {
    let mut select = T::Entity::find();
    if let Some(tenants) = tenants {
        select = select.filter(T::TENANT.is_in(tenants));
    }
    let rows = database.query_all(select.as_query()).await?;
    let mut readable = Vec::with_capacity(rows.len());
    for row in rows {
        match read(&row) {
            Ok(row) => readable.push(row),
            Err(fault) => {
                let key = T::key(&row).map_err(unattributable::<T>)?;
                let tenant: String =
                    row.try_get("", sea_orm::IdenStatic::as_str(&T::TENANT)).map_err(unattributable::<T>)?;
                readable.extend(T::stand_in(&key, &tenant));
                unreadable.push(Problem {
                    row: key,
                    field: fault.field.to_owned(),
                    found: fault.found,
                    expected: fault.expected.to_owned(),
                    tenant: Some(tenant),
                });
            }
        }
    }
    Ok(readable)
}

fn unattributable<T: Table>(error: DbErr) -> StoreError {
    let table = EntityName::table_name(&T::Entity::default()).to_owned();
    StoreError::Unattributable { table, source: Box::new(error) }
}

fn read<T: Table>(row: &QueryResult) -> Result<T, Fault> {
    let model = T::Model::from_query_result(row, "").map_err(|error| Fault {
        field: "a column",
        found: quoted(&error.to_string()),
        expected: "values of the columns' types",
    })?;
    T::from_model(model)
}

fn to_json(value: &impl Serialize) -> String {
    // Texts, numbers and truth values under text keys: there is nothing that JSON cannot say.
    serde_json::to_string(value).unwrap_or_default()
}

fn from_json<T: DeserializeOwned>(field: &'static str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault {
        field,
        found: quoted(&format!("{text} ({error})")),
        expected: "JSON as a document has it",
    })
}

impl Table for Tenant {
    type Entity = tenant::Entity;
    type Model = tenant::Model;
    type ActiveModel = tenant::ActiveModel;

    const TENANT: tenant::Column = tenant::Column::Id;

    fn into_model(self) -> tenant::Model {
        let Self { id, name, active, admit_unknown_subjects } = self;
        tenant::Model { id, name, active, admit_unknown_subjects }
    }

    fn from_model(model: tenant::Model) -> Result<Self, Fault> {
        let tenant::Model { id, name, active, admit_unknown_subjects } = model;
        Ok(Self { id, name, active, admit_unknown_subjects })
    }

    fn key(row: &QueryResult) -> Result<RowKey, DbErr> {
        Ok(RowKey::Tenant { id: row.try_get("", "id")? })
    }
}

impl Table for Subject {
    type Entity = subject::Entity;
    type Model = subject::Model;
    type ActiveModel = subject::ActiveModel;

    const TENANT: subject::Column = subject::Column::Tenant;

    fn into_model(self) -> subject::Model {
        let Self { issuer, subject, tenant, active, display_name } = self;
        subject::Model { issuer, subject, tenant, active, display_name }
    }

    fn from_model(model: subject::Model) -> Result<Self, Fault> {
        let subject::Model { issuer, subject, tenant, active, display_name } = model;
        Ok(Self { issuer, subject, tenant, active, display_name })
    }

    fn key(row: &QueryResult) -> Result<RowKey, DbErr> {
        Ok(RowKey::Subject { issuer: row.try_get("", "issuer")?, subject: row.try_get("", "subject")? })
    }

    /// The subject stays pinned, or the tenant claim of a token could place it elsewhere.
    fn stand_in(key: &RowKey, tenant: &str) -> Option<Self> {
        let RowKey::Subject { issuer, subject } = key.clone() else { return None };
        Some(Self { issuer, subject, tenant: tenant.to_owned(), active: false, display_name: None })
    }
}

impl Table for Role {
    type Entity = role::Entity;
    type Model = role::Model;
    type ActiveModel = role::ActiveModel;

    const TENANT: role::Column = role::Column::Tenant;

    fn into_model(self) -> role::Model {
        let tags = to_json(&self.tags);
        let Self {
            tenant, name, role_arn, session_policy, duration_seconds, requests_per_minute, burst, ..
        } = self;
        role::Model {
            tenant,
            name,
            role_arn,
            tags,
            session_policy,
            duration_seconds,
            requests_per_minute,
            burst,
        }
    }

    fn from_model(model: role::Model) -> Result<Self, Fault> {
        Ok(Self {
            tags: from_json("tags", &model.tags)?,
            tenant: model.tenant,
            name: model.name,
            role_arn: model.role_arn,
            session_policy: model.session_policy,
            duration_seconds: model.duration_seconds,
            requests_per_minute: model.requests_per_minute,
            burst: model.burst,
        })
    }

    fn key(row: &QueryResult) -> Result<RowKey, DbErr> {
        Ok(RowKey::Role { tenant: row.try_get("", "tenant")?, name: row.try_get("", "name")? })
    }
}

impl Table for Rule {
    type Entity = rule::Entity;
    type Model = rule::Model;
    type ActiveModel = rule::ActiveModel;

    const TENANT: rule::Column = rule::Column::Tenant;

    fn into_model(self) -> rule::Model {
        let conditions = to_json(&self.conditions);
        let Self { id, tenant, priority, subject, service, role, .. } = self;
        let (issuer, subject) = subject.map(|one| (one.issuer, one.subject)).unzip();
        rule::Model { id, tenant, priority, issuer, subject, conditions, service, role }
    }

    fn from_model(model: rule::Model) -> Result<Self, Fault> {
        let subject = match (model.issuer, model.subject) {
            (Some(issuer), Some(subject)) => Some(SubjectMatch { issuer, subject }),
            (None, None) => None,
            // Without its other half a rule for one person would be a rule for everybody.
            _ => {
                return Err(Fault {
                    field: "subject",
                    found: "half there".to_owned(),
                    expected: "issuer and subject, or neither",
                });
            }
        };
        Ok(Self {
            conditions: from_json("conditions", &model.conditions)?,
            subject,
            id: model.id,
            tenant: model.tenant,
            priority: model.priority,
            service: model.service,
            role: model.role,
        })
    }

    fn key(row: &QueryResult) -> Result<RowKey, DbErr> {
        Ok(RowKey::Rule { id: row.try_get("", "id")? })
    }
}
