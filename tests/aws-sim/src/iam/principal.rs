//! Who makes a request, and the principals a policy names.

use serde_json::Value;

use super::parse::{Fault, PolicyError, object, strings};

/// The identity behind a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// An IAM user.
    User {
        /// `arn:aws:iam::<account>:user/<name>`
        arn: String,
        /// The user's account.
        account: String,
    },
    /// A session of a role.
    Session {
        /// `arn:aws:sts::<account>:assumed-role/<role name>/<session name>`
        arn: String,
        /// The role's own ARN, path included.
        role_arn: String,
        /// The role's account.
        account: String,
    },
    /// An AWS service, such as `ecs-tasks.amazonaws.com`.
    Service(String),
}

impl Principal {
    /// A user of an account.
    #[must_use]
    pub fn user(account: &str, name: &str) -> Self {
        Self::User { arn: format!("arn:aws:iam::{account}:user/{name}"), account: account.to_owned() }
    }

    /// A session of the role; `None` when `role_arn` is no role's ARN.
    #[must_use]
    pub fn session(role_arn: &str, session_name: &str) -> Option<Self> {
        let (account, path) = role_arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
        let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
        is_account(account).then(|| Self::Session {
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session_name}"),
            role_arn: role_arn.to_owned(),
            account: account.to_owned(),
        })
    }

    /// The ARN (or service name) that error messages and the trail show.
    #[must_use]
    pub fn arn(&self) -> &str {
        match self {
            Self::User { arn, .. } | Self::Session { arn, .. } | Self::Service(arn) => arn,
        }
    }

    /// The account, if the principal has one.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::User { account, .. } | Self::Session { account, .. } => Some(account),
            Self::Service(_) => None,
        }
    }

    /// What `aws:PrincipalArn` says: the role for a session, otherwise the ARN.
    #[must_use]
    pub fn principal_arn(&self) -> &str {
        match self {
            Self::Session { role_arn, .. } => role_arn,
            other => other.arn(),
        }
    }

    /// The identities a policy can mean this principal by, apart from its account.
    fn names(&self) -> [&str; 2] {
        [self.arn(), self.principal_arn()]
    }
}

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// How a statement's principals cover the requester.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrincipalMatch {
    /// By its own ARN, its role's, or `*`.
    Direct,
    /// Only by its account, which leaves the decision to that account's identity policies.
    Account,
}

/// The `Principal` or `NotPrincipal` element.
#[derive(Clone, Debug)]
pub(super) struct PrincipalPatterns {
    negated: bool,
    patterns: Vec<PrincipalPattern>,
}

#[derive(Clone, Debug)]
enum PrincipalPattern {
    Anyone,
    Account(String),
    Arn(String),
    Service(String),
}

impl PrincipalPatterns {
    pub(super) fn parse(value: &Value, negated: bool) -> Result<Self, PolicyError> {
        let mut patterns = Vec::new();
        if let Some(text) = value.as_str() {
            if text != "*" {
                return Err(PolicyError::new(Fault::Principal, text));
            }
            patterns.push(PrincipalPattern::Anyone);
        } else {
            for (kind, names) in object(value, "Principal")? {
                for name in strings(names, kind)? {
                    patterns.push(match kind.as_str() {
                        "AWS" => aws_principal(name)?,
                        "Service" if is_service(name) => PrincipalPattern::Service(name.to_owned()),
                        _ => return Err(PolicyError::new(Fault::Principal, &format!("{kind} {name}"))),
                    });
                }
            }
        }
        if patterns.is_empty() {
            return Err(PolicyError::new(Fault::Empty, "Principal"));
        }
        Ok(Self { negated, patterns })
    }

    pub(super) fn matches(&self, principal: &Principal) -> Option<PrincipalMatch> {
        if self.negated {
            return (!self.exempts(principal)).then_some(PrincipalMatch::Direct);
        }
        let mut found = None;
        for pattern in &self.patterns {
            match pattern {
                PrincipalPattern::Anyone => return Some(PrincipalMatch::Direct),
                PrincipalPattern::Arn(arn) if principal.names().contains(&arn.as_str()) => {
                    return Some(PrincipalMatch::Direct);
                }
                PrincipalPattern::Service(name) if *principal == Principal::Service(name.clone()) => {
                    return Some(PrincipalMatch::Direct);
                }
                PrincipalPattern::Account(account) if principal.account() == Some(account) => {
                    found = Some(PrincipalMatch::Account);
                }
                _ => {}
            }
        }
        found
    }

    /// `NotPrincipal` exempts only who is named completely: the account, and every ARN of the principal.
    fn exempts(&self, principal: &Principal) -> bool {
        let named = |wanted: &str| {
            self.patterns.iter().any(|pattern| match pattern {
                PrincipalPattern::Anyone => true,
                PrincipalPattern::Arn(name)
                | PrincipalPattern::Service(name)
                | PrincipalPattern::Account(name) => name == wanted,
            })
        };
        principal.names().into_iter().all(named) && principal.account().is_none_or(named)
    }
}

fn is_service(name: &str) -> bool {
    name.ends_with(".amazonaws.com")
        && name.bytes().all(|b| b.is_ascii_lowercase() || b"0123456789-.".contains(&b))
}

fn aws_principal(name: &str) -> Result<PrincipalPattern, PolicyError> {
    let invalid = || PolicyError::new(Fault::Principal, name);
    if name == "*" {
        return Ok(PrincipalPattern::Anyone);
    }
    if is_account(name) {
        return Ok(PrincipalPattern::Account(name.to_owned()));
    }
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let ["arn", "aws", service, "", account, resource] = parts.as_slice() else { return Err(invalid()) };
    if !is_account(account) || name.contains(['*', '?', '$']) {
        return Err(invalid());
    }
    let names_one = |prefix: &str| resource.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
    match *service {
        "iam" if *resource == "root" => Ok(PrincipalPattern::Account((*account).to_owned())),
        "iam" if names_one("user/") || names_one("role/") => Ok(PrincipalPattern::Arn(name.to_owned())),
        "sts" if names_one("assumed-role/") && resource.split('/').count() == 3 => {
            Ok(PrincipalPattern::Arn(name.to_owned()))
        }
        _ => Err(invalid()),
    }
}
