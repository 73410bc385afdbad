//! The rules that `AssumeRole`'s parameters must keep before anything is decided.

use std::sync::LazyLock;

use regex::Regex;

use super::parameters::Parameters;
use crate::answer::ApiError;
use crate::credentials::Tags;
use crate::iam::{Policy, PolicyKind};
use crate::world::World;

const MAX_TAGS: usize = 50;
const MAX_POLICY_ARNS: usize = 10;
const MAX_POLICY_CHARACTERS: usize = 2048;
/// What session policies and tags may take together. AWS packs them in a format it does not publish; here each
/// character counts as one byte.
const PACKED_LIMIT: usize = 4096;

static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\A[0-9A-Za-z_+=,.@-]*\z").ok());
static EXTERNAL_ID: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\A[0-9A-Za-z_+=,.@:/-]*\z").ok());
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z").ok());

/// `AssumeRole`'s parameters, valid by themselves.
pub(super) struct Requested {
    pub(super) role_arn: String,
    pub(super) session_name: String,
    pub(super) source_identity: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) duration_seconds: Option<u32>,
    pub(super) tags: Tags,
    pub(super) transitive_keys: Vec<String>,
    /// The session policies; `None` when none were passed.
    pub(super) policies: Option<Vec<Policy>>,
    /// How much of the space for policies and tags is used, in percent; `None` when nothing was passed.
    pub(super) packed_percent: Option<usize>,
}

impl Requested {
    pub(super) fn read(world: &World, parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.allow_only(&[
            ("RoleArn", 0, &[]),
            ("RoleSessionName", 0, &[]),
            ("SourceIdentity", 0, &[]),
            ("ExternalId", 0, &[]),
            ("DurationSeconds", 0, &[]),
            ("Policy", 0, &[]),
            ("PolicyArns", parameters.list("PolicyArns", &["arn"]).len(), &["arn"]),
            ("Tags", parameters.list("Tags", &["Key", "Value"]).len(), &["Key", "Value"]),
            ("TransitiveTagKeys", parameters.list("TransitiveTagKeys", &[""]).len(), &[""]),
        ])?;
        let mut violations = Violations::default();
        let role_arn = parameters.get("RoleArn");
        let session_name = parameters.get("RoleSessionName");
        let source_identity = parameters.get("SourceIdentity");
        let external_id = parameters.get("ExternalId");
        violations.required("roleArn", role_arn).length("roleArn", role_arn, 20, 2048);
        violations.required("roleSessionName", session_name);
        violations.text("roleSessionName", session_name, 2, 64, &NAME, r"[\w+=,.@-]*");
        violations.text("sourceIdentity", source_identity, 2, 64, &NAME, r"[\w+=,.@-]*");
        violations.text("externalId", external_id, 2, 1224, &EXTERNAL_ID, r"[\w+=,.@:\/-]*");
        let duration_seconds = violations.duration(parameters.get("DurationSeconds"));
        violations.tags(parameters);
        violations.finish()?;

        let role_arn = role_arn.unwrap_or_default().to_owned();
        if crate::iam::Principal::session(&role_arn, "x").is_none() {
            return Err(ApiError::validation(format!("{role_arn} is invalid")));
        }
        let tags = tags(parameters)?;
        let transitive_keys = transitive_keys(parameters, &tags)?;
        let policies = session_policies(world, parameters)?;
        let packed_percent = packed(parameters, &tags)?;
        Ok(Self {
            role_arn,
            session_name: session_name.unwrap_or_default().to_owned(),
            source_identity: source_identity.map(str::to_owned),
            external_id: external_id.map(str::to_owned),
            duration_seconds,
            tags,
            transitive_keys,
            policies,
            packed_percent,
        })
    }
}

/// Constraint violations in the words of the service.
#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn add(&mut self, value: &str, at: &str, constraint: &str) {
        self.0.push(format!(
            "Value '{value}' at '{at}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    fn required(&mut self, at: &str, value: Option<&str>) -> &mut Self {
        if value.is_none() {
            self.0
                .push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
        }
        self
    }

    fn length(&mut self, at: &str, value: Option<&str>, least: usize, most: usize) -> &mut Self {
        let Some(value) = value else { return self };
        let characters = value.chars().count();
        if characters < least {
            self.add(value, at, &format!("have length greater than or equal to {least}"));
        } else if characters > most {
            self.add(value, at, &format!("have length less than or equal to {most}"));
        }
        self
    }

    fn text(
        &mut self,
        at: &str,
        value: Option<&str>,
        least: usize,
        most: usize,
        pattern: &LazyLock<Option<Regex>>,
        pattern_text: &str,
    ) {
        self.length(at, value, least, most);
        let Some(value) = value else { return };
        if !pattern.as_ref().is_some_and(|pattern| pattern.is_match(value)) {
            self.add(value, at, &format!("satisfy regular expression pattern: {pattern_text}"));
        }
    }

    fn duration(&mut self, value: Option<&str>) -> Option<u32> {
        let value = value?;
        match value.parse::<u32>() {
            Ok(seconds) if seconds < 900 => {
                self.add(value, "durationSeconds", "have value greater than or equal to 900");
            }
            Ok(seconds) if seconds > 43200 => {
                self.add(value, "durationSeconds", "have value less than or equal to 43200");
            }
            Ok(seconds) => return Some(seconds),
            Err(_) => self.add(value, "durationSeconds", "be an integer"),
        }
        None
    }

    fn tags(&mut self, parameters: &Parameters) {
        const PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
        let tags = parameters.list("Tags", &["Key", "Value"]);
        if tags.len() > MAX_TAGS {
            self.add(&format!("{} tags", tags.len()), "tags", "have length less than or equal to 50");
        }
        for (index, tag) in tags.iter().enumerate() {
            let field = |position: usize| tag.get(position).copied().flatten();
            let at = |name: &str| format!("tags.{}.member.{name}", index + 1);
            self.required(&at("key"), field(0)).required(&at("value"), field(1));
            self.text(&at("key"), field(0), 1, 128, &TAG, PATTERN);
            self.text(&at("value"), field(1), 0, 256, &TAG, PATTERN);
        }
        let keys = parameters.list("TransitiveTagKeys", &[""]);
        if keys.len() > MAX_TAGS {
            self.add(
                &format!("{} keys", keys.len()),
                "transitiveTagKeys",
                "have length less than or equal to 50",
            );
        }
        for (index, key) in keys.iter().enumerate() {
            let key = key.first().copied().flatten();
            self.text(&format!("transitiveTagKeys.{}.member", index + 1), key, 1, 128, &TAG, PATTERN);
        }
    }

    fn finish(self) -> Result<(), ApiError> {
        let count = self.0.len();
        if count == 0 {
            return Ok(());
        }
        let noun = if count == 1 { "error" } else { "errors" };
        Err(ApiError::validation(format!("{count} validation {noun} detected: {}", self.0.join("; "))))
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValue", message)
}

fn tags(parameters: &Parameters) -> Result<Tags, ApiError> {
    let mut tags = Tags::default();
    for tag in parameters.list("Tags", &["Key", "Value"]) {
        let [Some(key), Some(value)] = tag.as_slice() else { continue };
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys must not begin with the reserved prefix aws:"));
        }
        if tags.set(key, value) {
            return Err(invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
    }
    Ok(tags)
}

fn transitive_keys(parameters: &Parameters, tags: &Tags) -> Result<Vec<String>, ApiError> {
    let mut keys = Vec::new();
    for key in parameters.list("TransitiveTagKeys", &[""]) {
        let Some(key) = key.first().copied().flatten() else { continue };
        if tags.get(key).is_none() {
            return Err(invalid(format!(
                "The transitive tag key {key} is not among the tags of the request."
            )));
        }
        keys.push(key.to_owned());
    }
    Ok(keys)
}

fn session_policies(world: &World, parameters: &Parameters) -> Result<Option<Vec<Policy>>, ApiError> {
    let mut policies = Vec::new();
    if let Some(text) = parameters.get("Policy") {
        let length = text.chars().count();
        if length > MAX_POLICY_CHARACTERS {
            let mut violations = Violations::default();
            violations.length("policy", Some(text), 1, MAX_POLICY_CHARACTERS);
            violations.finish()?;
        }
        let policy = Policy::parse_text(text, PolicyKind::Identity)
            .map_err(|error| ApiError::new(400, "MalformedPolicyDocument", error.to_string()))?;
        policies.push(policy);
    }
    let arns = parameters.list("PolicyArns", &["arn"]);
    if arns.len() > MAX_POLICY_ARNS {
        return Err(invalid(format!("At most {MAX_POLICY_ARNS} managed policies can be session policies.")));
    }
    for arn in arns {
        let arn = arn.first().copied().flatten().unwrap_or_default();
        let policy = world.managed_policies.get(arn);
        policies.push(policy.cloned().ok_or_else(|| invalid(format!("The policy {arn} does not exist.")))?);
    }
    Ok((!policies.is_empty()).then_some(policies))
}

fn packed(parameters: &Parameters, tags: &Tags) -> Result<Option<usize>, ApiError> {
    let minified =
        parameters.get("Policy").and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let policy = minified.map_or(0, |policy| policy.to_string().len());
    let arns = parameters.list("PolicyArns", &["arn"]);
    let arns: usize = arns.iter().flatten().flatten().map(|arn| arn.len()).sum();
    let tags: usize = tags.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let percent = (policy + arns + tags).saturating_mul(100).div_ceil(PACKED_LIMIT);
    if percent > 100 {
        let message =
            format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
        return Err(ApiError::new(400, "PackedPolicyTooLarge", message));
    }
    Ok((percent > 0).then_some(percent))
}
