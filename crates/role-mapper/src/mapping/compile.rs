//! From rows to entries, noting everything that is wrong on the way.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    Mapping, Placement, Standing, TenantEntry,
    check::Check,
    entry::{RoleEntry, RuleEntry},
    index::{Addressed, ByIdentity, RuleIndex},
};
use crate::{
    MappingDocument, Problem, Role, RowKey, Rule, RuleId, Subject, Tenant, TenantId, grammar, problem::quoted,
};

pub(super) struct Compiler<'d> {
    document: &'d MappingDocument,
    tenants: HashSet<String>,
    problems: Vec<Problem>,
}

impl<'d> Compiler<'d> {
    pub(super) fn new(document: &'d MappingDocument, unreadable: Vec<Problem>) -> Self {
        let unreadable_tenants = unreadable.iter().filter_map(|problem| match &problem.row {
            RowKey::Tenant { id } => Some(id),
            _ => None,
        });
        let tenants =
            document.tenants.iter().map(|tenant| &tenant.id).chain(unreadable_tenants).cloned().collect();
        Self { document, tenants, problems: unreadable }
    }

    pub(super) fn compile(mut self) -> Mapping {
        self.refuse_repeated_keys();
        let document = self.document;
        let ids: Vec<_> = document.tenants.iter().map(|row| self.tenant(row)).collect();
        let subjects = self.subjects();
        let mut entries = self.rules();
        self.problems.sort_by(|a, b| a.row.cmp(&b.row));
        let mut tenants = HashMap::new();
        for (row, id) in document.tenants.iter().zip(ids) {
            let rules = RuleIndex::new(entries.remove(row.id.as_str()).unwrap_or_default());
            let (active, admits_unknown) = (row.active, row.admit_unknown_subjects);
            let entry = id.map(|id| TenantEntry { id, active, admits_unknown, rules });
            tenants.insert(row.id.clone(), entry.map_or(Standing::Broken, Standing::Sound));
        }
        for tenant in self.problems.iter().filter_map(|problem| problem.tenant.as_ref()) {
            tenants.insert(tenant.clone(), Standing::Broken);
        }
        Mapping { tenants, subjects, problems: self.problems }
    }

    fn refuse_repeated_keys(&mut self) {
        let document = self.document;
        let mut seen = HashSet::new();
        let keys = (document.tenants.iter().map(|row| (row.key(), &row.id)))
            .chain(document.subjects.iter().map(|row| (row.key(), &row.tenant)))
            .chain(document.roles.iter().map(|row| (row.key(), &row.tenant)))
            .chain(document.rules.iter().map(|row| (row.key(), &row.tenant)));
        let mut repeated = HashSet::new();
        for (key, _) in keys.clone() {
            if let Some(key) = seen.replace(key) {
                repeated.insert(key);
            }
        }
        // Every tenant that has the key is broken: which of the rows was meant is unknown.
        for (key, tenant) in keys.filter(|(key, _)| repeated.contains(key)) {
            self.check(key, tenant).refuse("key", "there twice".into(), "one row for a key");
        }
    }

    fn tenant(&mut self, row: &Tenant) -> Option<TenantId> {
        let mut check = self.check(row.key(), &row.id);
        check.text(
            "name",
            &row.name,
            !row.name.is_empty() && grammar::is_display(&row.name),
            "1 to 256 characters without control characters",
        );
        let id = row.id.parse().ok();
        check.text("id", &row.id, id.is_some(), grammar::SLUG);
        id
    }

    fn subjects(&mut self) -> ByIdentity<Placement> {
        let mut subjects = ByIdentity::default();
        for row in &self.document.subjects {
            self.subject(row);
            // A broken row still places its subject: in a tenant that is now disabled, not in the one of a claim.
            let placement = Placement { tenant: row.tenant.clone(), active: row.active };
            subjects.insert(&row.issuer, &row.subject, placement);
        }
        subjects
    }

    fn subject(&mut self, row: &Subject) {
        let mut check = self.check(row.key(), &row.tenant);
        check.tenant_exists(&row.tenant);
        check.text("issuer", &row.issuer, grammar::is_identity(&row.issuer), grammar::IDENTITY);
        check.text("subject", &row.subject, grammar::is_identity(&row.subject), grammar::IDENTITY);
        if let Some(name) = &row.display_name {
            check.text("display_name", name, grammar::is_display(name), grammar::DISPLAY);
        }
    }

    fn role(&mut self, row: &Role) -> Option<Arc<RoleEntry>> {
        let mut check = self.check(row.key(), &row.tenant);
        let before = check.problems.len();
        check.tenant_exists(&row.tenant);
        let name = row.name.parse().ok();
        check.text("name", &row.name, name.is_some(), grammar::ROLE_NAME);
        check.text("role_arn", &row.role_arn, grammar::is_role_arn(&row.role_arn), grammar::ROLE_ARN);
        if let Some(policy) = &row.session_policy {
            check.text("session_policy", policy, grammar::is_reference(policy), grammar::REFERENCE);
        }
        let duration =
            u64::try_from(row.duration_seconds).ok().filter(|seconds| (900..=3600).contains(seconds));
        check.number("duration_seconds", row.duration_seconds, duration.is_some(), "900 to 3600 seconds");
        let limits = check.limits(row);
        let tags = check.tags(row);
        let sound = check.problems.len() == before;
        sound.then_some(())?;
        Some(Arc::new(RoleEntry {
            name: name?,
            role_arn: row.role_arn.clone(),
            tags,
            session_policy: row.session_policy.clone(),
            duration: Duration::from_secs(duration?),
            limits,
        }))
    }

    fn rules(&mut self) -> HashMap<&'d str, Vec<Addressed>> {
        let document = self.document;
        let mut roles: HashMap<_, HashMap<_, _>> = HashMap::new();
        for row in &document.roles {
            let entry = self.role(row);
            roles.entry(row.tenant.as_str()).or_default().insert(row.name.as_str(), entry);
        }
        let mut entries: HashMap<_, Vec<_>> = HashMap::new();
        for row in &document.rules {
            let named = roles.get(row.tenant.as_str()).and_then(|of_tenant| of_tenant.get(row.role.as_str()));
            if let Some(entry) = self.rule(row, named) {
                let subject = row.subject.as_ref().map(|one| (one.issuer.clone(), one.subject.clone()));
                entries.entry(row.tenant.as_str()).or_default().push((subject, entry));
            }
        }
        entries
    }

    /// `role` is what the row names: absent, there but broken, or sound.
    fn rule(&mut self, row: &Rule, role: Option<&Option<Arc<RoleEntry>>>) -> Option<RuleEntry> {
        let mut check = self.check(row.key(), &row.tenant);
        check.tenant_exists(&row.tenant);
        let id = RuleId::try_from(row.id).ok();
        check.number("id", row.id, id.is_some(), grammar::RULE_ID);
        if role.is_none() {
            check.refuse("role", quoted(&row.role), "the name of a role of the same tenant");
        }
        if let Some(service) = &row.service {
            check.text("service", service, grammar::is_slug(service), grammar::SLUG);
        }
        if let Some(one) = &row.subject {
            check.text("subject.issuer", &one.issuer, grammar::is_identity(&one.issuer), grammar::IDENTITY);
            check.text(
                "subject.subject",
                &one.subject,
                grammar::is_identity(&one.subject),
                grammar::IDENTITY,
            );
        }
        let conditions = check.conditions(row);
        Some(RuleEntry {
            id: id?,
            priority: row.priority,
            service: row.service.clone(),
            conditions,
            role: role.cloned().flatten()?,
        })
    }

    fn check(&mut self, row: RowKey, tenant: &str) -> Check<'_> {
        let tenant = self.tenants.contains(tenant).then(|| tenant.to_owned());
        Check { row, tenant, problems: &mut self.problems }
    }
}
