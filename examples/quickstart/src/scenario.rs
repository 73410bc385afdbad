//! The people, roles and data of the quickstart, and what each person may do.

use oauth_server::identity::{HashError, hash_password};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// The accounts, roles, policies and buckets of the local AWS.
pub const AWS: &str = include_str!("../scenario/aws.json");

/// The tools server's buckets.
pub const BUCKETS: [&str; 3] = ["acme-lab", "globex-lab", "shared-atlas"];

const MAPPING: &str = include_str!("../scenario/mapping.toml");
const EXPECTED: &str = include_str!("../scenario/expected.txt");

/// Somebody with a password.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// Name to sign in with.
    pub username: &'static str,
    /// Password, known to everybody who reads this.
    pub password: &'static str,
    /// Full name.
    pub name: &'static str,
    /// Tenant.
    pub tenant: &'static str,
    /// Groups and project, as an identity provider would claim them.
    group: Option<&'static str>,
    project: Option<&'static str>,
}

impl Person {
    /// The claims that rules and tags see.
    #[must_use]
    pub fn hints(&self) -> Map<String, Value> {
        let mut hints = Map::new();
        if let Some(group) = self.group {
            hints.insert("groups".into(), json!([group]));
        }
        if let Some(project) = self.project {
            hints.insert("project".into(), json!(project));
        }
        hints
    }
}

/// Everybody. Dan is known, but no rule gives him a role.
pub const PEOPLE: [Person; 4] = [
    Person {
        username: "ada",
        password: "ada-counts-engines",
        name: "Ada Lovelace",
        tenant: "acme",
        group: None,
        project: None,
    },
    Person {
        username: "ben",
        password: "ben-flies-kites",
        name: "Ben Franklin",
        tenant: "acme",
        group: Some("analysts"),
        project: Some("apollo"),
    },
    Person {
        username: "cleo",
        password: "cleo-reads-scrolls",
        name: "Cleo of Alexandria",
        tenant: "globex",
        group: None,
        project: None,
    },
    Person {
        username: "dan",
        password: "dan-just-arrived",
        name: "Dan the Newcomer",
        tenant: "acme",
        group: None,
        project: None,
    },
];

/// The mapping, for people of this issuer.
#[must_use]
pub fn mapping(issuer: &str) -> String {
    MAPPING.replace("ISSUER", issuer)
}

/// The configuration of Connect Server.
///
/// # Errors
/// When the passwords cannot be hashed.
pub fn connect_config(public_url: &str, upstream: &str) -> Result<Value, HashError> {
    let port = public_url.rsplit(':').next().unwrap_or_default();
    let people: Vec<Value> = PEOPLE
        .iter()
        .map(|person| {
            Ok(json!({
                "username": person.username,
                "password_hash": hash_password(&SecretString::from(person.password))?,
                "tenant": person.tenant,
                "display_name": person.name,
                "hints": person.hints(),
            }))
        })
        .collect::<Result<_, HashError>>()?;
    Ok(json!({
        "public_url": public_url,
        "allowed_hosts": "localhost, claude.ai, claude.com, cursor://, vscode.dev, chatgpt.com",
        "listen": { "public": format!("127.0.0.1:{port}"), "private": "127.0.0.1:0" },
        "database": { "url": "sqlite:connect.db" },
        "audit": { "file": "connect-audit.jsonl" },
        "log": { "format": "text" },
        "static_user": people,
        "service": [{
            "name": "platform",
            "label": "Platform data",
            "path": "/mcp/platform",
            "upstream": upstream,
            "scopes": ["platform"],
            "scope_descriptions": { "platform": "List and read the data that you may see" },
        }],
        "brand": { "name": "Quickstart Laboratories" },
    }))
}

/// What somebody tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// List a bucket under a prefix.
    List,
    /// Read an object.
    Read,
}

/// Who refuses, if anybody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody.
    Allowed,
    /// Connect Server's gateway: there is no role for this person.
    Gateway,
    /// S3, by the policy of the person's role.
    S3,
}

impl Verdict {
    /// The word for it in `expected.txt` and in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Gateway => "gateway",
            Self::S3 => "s3",
        }
    }
}

/// One cell of the table of who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Username of the person.
    pub person: &'static str,
    /// What is tried.
    pub action: Action,
    /// The bucket.
    pub bucket: &'static str,
    /// The prefix to list, or the key to read.
    pub key: &'static str,
    /// What must happen.
    pub expected: Verdict,
}

/// Every cell. `None` when `expected.txt` cannot be read as such a table.
#[must_use]
pub fn cells() -> Option<Vec<Cell>> {
    EXPECTED.lines().filter(|line| !line.starts_with('#')).map(cell).collect()
}

fn cell(line: &'static str) -> Option<Cell> {
    let mut words = line.split_whitespace();
    let person = words.next()?;
    let action = match words.next()? {
        "list" => Action::List,
        "read" => Action::Read,
        _ => return None,
    };
    let (bucket, key) = words.next()?.split_once('/')?;
    let word = words.next()?;
    let expected =
        [Verdict::Allowed, Verdict::Gateway, Verdict::S3].into_iter().find(|one| one.as_str() == word)?;
    Some(Cell { person, action, bucket, key, expected })
}

#[cfg(test)]
mod tests {
    use super::{Action, PEOPLE, Verdict, cells};

    #[test]
    fn the_table_covers_every_person_and_both_outcomes() {
        let cells = cells().unwrap();
        for person in PEOPLE {
            let mine: Vec<_> = cells.iter().filter(|cell| cell.person == person.username).collect();
            assert!(mine.iter().any(|cell| cell.action == Action::List), "{}", person.username);
            assert!(mine.iter().any(|cell| cell.expected != Verdict::Allowed), "{}", person.username);
        }
        assert!(cells.len() > 40);
    }
}
