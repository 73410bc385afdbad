//! Who gets what: ordinary and hostile subjects of two tenants, through one provider.

use std::collections::BTreeSet;

use quickstart::{McpClient, ToolAnswer};
use serde_json::{Value, json};

use crate::setting::Setting;

/// What must become of a subject.
struct Person {
    subject: String,
    tenant: &'static str,
    /// A project makes an analyst; everybody else is a member of the laboratory.
    project: Option<&'static str>,
    /// As CloudTrail shows it: exactly, or for what STS could not show, a digest.
    source_identity: Option<&'static str>,
}

fn people() -> Vec<Person> {
    let person = |subject: &str, tenant, project, source_identity| Person {
        subject: subject.to_owned(),
        tenant,
        project,
        source_identity,
    };
    let long = "x".repeat(199);
    vec![
        person("ada", "acme", None, Some("ada")),
        person("ben", "acme", Some("apollo"), Some("ben")),
        person("cleo", "globex", None, Some("cleo")),
        // Bytes that STS refuses, and the text that another subject's escape looks like.
        person("auth0|x/é", "acme", Some("zephyr"), Some("auth0=7Cx=2F=C3=A9")),
        person("auth0|x", "globex", None, Some("auth0=7Cx")),
        person("auth0=7Cx", "globex", None, Some("auth0=3D7Cx")),
        // A prefix that AWS keeps to itself.
        person("aws:root", "acme", Some("apollo"), Some("aws=3Aroot")),
        // Too long, and different in the last character only; and what looks like a digest already.
        person(&format!("{long}1"), "globex", None, None),
        person(&format!("{long}2"), "globex", None, None),
        person("h.looks-hashed", "globex", None, None),
        // Text that a shell, a log, a header or an ARN could take for something else.
        person(
            "../${aws:PrincipalTag/tenant}, *",
            "globex",
            None,
            Some("..=2F=24=7Baws=3APrincipalTag=2Ftenant=7D=2C=20=2A"),
        ),
        person(
            "\"><script>alert(1)</script>",
            "globex",
            None,
            Some("=22=3E=3Cscript=3Ealert=281=29=3C=2Fscript=3E"),
        ),
    ]
}

impl Person {
    fn role(&self) -> &'static str {
        match self.project {
            Some(_) => "arn:aws:iam::111122223333:role/data/project-analyst",
            None => "arn:aws:iam::111122223333:role/data/lab-member",
        }
    }

    fn tags(&self) -> Value {
        match self.project {
            Some(project) => json!({ "tenant": self.tenant, "project": project }),
            None => json!({ "tenant": self.tenant }),
        }
    }

    fn claims(&self) -> Value {
        match self.project {
            Some(project) => json!({ "org": self.tenant, "groups": ["analysts"], "project": project }),
            None => json!({ "org": self.tenant }),
        }
    }

    /// An object of theirs, and one of the other tenant.
    fn objects(&self) -> (&'static str, &'static str) {
        match (self.tenant, self.project) {
            ("acme", Some("apollo")) => ("acme-lab/projects/apollo/assay.csv", "globex-lab/readme.txt"),
            ("acme", Some(_)) => {
                ("acme-lab/projects/zephyr/results.csv", "acme-lab/projects/apollo/assay.csv")
            }
            ("acme", None) => ("acme-lab/readme.txt", "globex-lab/readme.txt"),
            _ => ("globex-lab/readme.txt", "acme-lab/readme.txt"),
        }
    }

    fn assert_source_identity(&self, found: &str) {
        if let Some(expected) = self.source_identity {
            assert_eq!(found, expected, "{}", self.subject);
            return;
        }
        // `h.` and the 52 characters that SHA-256 takes in base32.
        let digest = found.strip_prefix("h.").unwrap_or_else(|| panic!("{}: {found}", self.subject));
        let base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
        assert!(digest.len() == 52 && digest.bytes().all(base32), "{}: {found}", self.subject);
    }
}

async fn read(client: &McpClient, object: &str) -> ToolAnswer {
    client.call_tool("object_read", json!({ "uri": format!("s3://{object}") })).await.unwrap()
}

/// Signs a person in, lets them work, and gives their source identity.
async fn works(setting: &Setting, person: &Person) -> String {
    let client = setting.client(&person.subject).await;
    let ToolAnswer::Done(status) = client.call_tool("auth_status", json!({})).await.unwrap() else {
        panic!("{} is refused:\n{}", person.subject, setting.system.connect.log());
    };
    assert_eq!(status["tenant"], person.tenant, "{}", person.subject);
    assert_eq!(status["role_arn"], person.role(), "{}", person.subject);
    assert_eq!(status["tags"], person.tags(), "{}", person.subject);
    let (own, foreign) = person.objects();
    let answer = read(&client, own).await;
    assert!(matches!(answer, ToolAnswer::Done(_)), "{}: {answer:?}", person.subject);
    let answer = read(&client, foreign).await;
    assert!(
        matches!(&answer, ToolAnswer::ToolError(words) if words.contains(" may not s3:GetObject")),
        "{answer:?}"
    );
    let source_identity = status["source_identity"].as_str().unwrap();
    person.assert_source_identity(source_identity);
    source_identity.to_owned()
}

/// The trail has one session of the person, and their two reads under it.
fn assert_trail(records: &[Value], person: &Person, source_identity: &str) {
    let theirs = records.iter().filter(|record| record["sourceIdentity"] == source_identity);
    let mut names = Vec::new();
    for record in theirs {
        assert_eq!(record["principalTags"], person.tags(), "{record}");
        names.push((record["eventName"].as_str().unwrap(), record["errorCode"].as_str()));
        if record["eventName"] == "AssumeRole" {
            assert_eq!(record["requestParameters"]["roleArn"], person.role(), "{record}");
        }
    }
    let expected = [("AssumeRole", None), ("GetObject", None), ("GetObject", Some("AccessDenied"))];
    assert_eq!(names, expected, "{}", person.subject);
}

#[tokio::test]
async fn every_subject_gets_its_own_role_tags_and_source_identity() {
    let people = people();
    let claims = people.iter().map(|person| (person.subject.clone(), person.claims())).collect();
    // The scenario has rows for the first three.
    let rows: Vec<(&str, &str)> =
        people.iter().skip(3).map(|person| (person.subject.as_str(), person.tenant)).collect();
    let mut setting = Setting::start(&Value::Object(claims), &rows);
    let mut identities = Vec::new();
    for person in &people {
        identities.push(works(&setting, person).await);
    }
    assert_eq!(identities.iter().collect::<BTreeSet<_>>().len(), people.len(), "{identities:?}");
    for identity in &identities {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_=,.@+-".contains(&byte);
        assert!((2..=64).contains(&identity.len()) && identity.bytes().all(legal), "{identity}");
    }
    let trail = reqwest::get(format!("{}/_sim/trail", setting.system.aws_url)).await.unwrap();
    let trail: Value = trail.json().await.unwrap();
    setting.system.stop();
    let allowed = setting.events("allow");
    for (person, identity) in people.iter().zip(&identities) {
        assert_trail(trail["Records"].as_array().unwrap(), person, identity);
        let event = allowed.iter().find(|event| event["source_identity"] == identity.as_str()).unwrap();
        assert_eq!(event["issuer"], setting.provider.issuer);
        assert_eq!(event["subject"], person.subject);
        assert_eq!(event["tenant"], person.tenant);
    }
}
