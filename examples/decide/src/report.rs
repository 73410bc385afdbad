//! The answer as text.

use std::{fmt::Write, fs, io};

use role_mapper::{Mapping, MappingDocument, Problems, Query, RoleDecision, decide};
use serde_json::{Map, Value};

/// An answer.
#[derive(Debug)]
pub(crate) struct Report {
    /// Lines for people.
    pub(crate) text: String,
    /// Whether a role was granted.
    pub(crate) is_granted: bool,
}

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("usage: decide <mapping.toml> <issuer> <subject> <service> [<claims as JSON>]")]
    Usage,
    #[error("{path}: {cause}")]
    File { path: String, cause: io::Error },
    #[error("{path}: {cause}")]
    Document { path: String, cause: toml::de::Error },
    #[error("{path} is broken:\n{problems}")]
    Broken { path: String, problems: Problems },
    #[error("the claims are not a JSON object: {0}")]
    Claims(serde_json::Error),
}

/// Decides for `arguments`: mapping file, issuer, subject, service and, if there are any, claims.
pub(crate) fn report(arguments: &[String]) -> Result<Report, ReportError> {
    let ([path, issuer, subject, service], claims) =
        arguments.split_first_chunk().ok_or(ReportError::Usage)?;
    let claims = match claims {
        [] => Map::new(),
        [claims] => serde_json::from_str::<Map<String, Value>>(claims).map_err(ReportError::Claims)?,
        _ => return Err(ReportError::Usage),
    };
    let mapping = read(path)?;
    Ok(describe(&decide(&mapping, &Query { issuer, subject, tenant: None, claims: &claims, service })))
}

fn read(path: &str) -> Result<Mapping, ReportError> {
    let path_text = || path.to_owned();
    let text = fs::read_to_string(path).map_err(|cause| ReportError::File { path: path_text(), cause })?;
    let document: MappingDocument =
        toml::from_str(&text).map_err(|cause| ReportError::Document { path: path_text(), cause })?;
    Mapping::new(&document).map_err(|problems| ReportError::Broken { path: path_text(), problems })
}

fn describe(decision: &RoleDecision) -> Report {
    match decision {
        RoleDecision::Deny(reason) => {
            Report { text: format!("denied: {reason} ({})\n", reason.as_str()), is_granted: false }
        }
        RoleDecision::Grant(grant) => {
            let mut text = format!(
                "granted: {} of {}, {} for {} s, by rule {}\n",
                grant.role,
                grant.tenant,
                grant.role_arn,
                grant.duration.as_secs(),
                grant.by
            );
            for (key, value) in &grant.tags {
                // Writing to a text cannot fail.
                let _ = writeln!(text, "  tag {key} = {value}");
            }
            Report { text, is_granted: true }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::report;

    const MAPPING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mapping.toml");

    #[test]
    fn people_of_the_mapping() {
        for (subject, claims, expected) in [
            ("ada", r#"{"groups": ["writers"]}"#, "granted: writer of acme"),
            ("bob", r#"{"department": "lab"}"#, "granted: reader of acme"),
            ("bob", "{}", "denied: the claim for tag department is absent"),
            ("eve", "{}", "denied: the subject has no row"),
        ] {
            let arguments =
                [MAPPING, "https://idp.example.com", subject, "platform", claims].map(str::to_owned);
            let report = report(&arguments).unwrap();
            assert!(report.text.starts_with(expected), "{subject} {claims}: {}", report.text);
            assert_eq!(report.is_granted, expected.starts_with("granted"), "{subject} {claims}");
        }
    }

    #[test]
    fn what_is_no_question_gets_no_answer() {
        for (arguments, expected) in [
            (vec![], "usage: "),
            (vec![MAPPING, "i", "s"], "usage: "),
            (vec![MAPPING, "i", "s", "p", "{}", "x"], "usage: "),
            (vec![MAPPING, "i", "s", "p", "[]"], "the claims are not a JSON object"),
            (vec!["/nowhere/mapping.toml", "i", "s", "p"], "/nowhere/mapping.toml: "),
        ] {
            let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
            let error = report(&arguments).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{arguments:?}: {error}");
        }
    }
}
