//! The ARN of an IAM role.

use std::{fmt, str::FromStr};

/// The longest role ARN, in bytes: the limit of STS.
const MAX_ARN: usize = 2048;
/// The longest path of a role, both slashes included: the limit of IAM.
const MAX_PATH: usize = 512;
/// The longest name of a role: the limit of IAM.
const MAX_NAME: usize = 64;

/// The ARN of an IAM role, `arn:<partition>:iam::<account>:role/<path><name>`, checked part by part.
///
/// IAM also permits a comma in paths and names. It is refused here: a comma is how proxies join two headers into
/// one, so a value of the contract never has one (SEC-45).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleArn {
    text: String,
    partition: Partition,
    account: AccountId,
}

impl RoleArn {
    /// The ARN as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition, e.g. `aws`.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The account that owns the role.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The name without its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(text: &str) -> Result<Self, InvalidRoleArn> {
        if text.len() > MAX_ARN {
            return Err(InvalidRoleArn::TooLong);
        }
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or(InvalidRoleArn::Shape);
        if next()? != "arn" {
            return Err(InvalidRoleArn::Shape);
        }
        let partition = next()?.parse().map_err(|UnknownPartition| InvalidRoleArn::Partition)?;
        if next()? != "iam" || !next()?.is_empty() {
            return Err(InvalidRoleArn::Shape);
        }
        let account = next()?.parse().map_err(|InvalidAccountId| InvalidRoleArn::Account)?;
        let resource = next()?.strip_prefix("role/").ok_or(InvalidRoleArn::Shape)?;
        check_path_and_name(resource)?;
        Ok(Self { text: text.to_owned(), partition, account })
    }
}

/// `resource` is what follows `role/`: segments of the path, each with its slash, and the name.
fn check_path_and_name(resource: &str) -> Result<(), InvalidRoleArn> {
    let (path, name) = match resource.rsplit_once('/') {
        Some((path, name)) => (Some(path), name),
        None => (None, resource),
    };
    if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(is_name_byte) {
        return Err(InvalidRoleArn::Name);
    }
    if path.is_none_or(is_path) { Ok(()) } else { Err(InvalidRoleArn::Path) }
}

/// Whether `path`, which lacks the slashes around it, is one of IAM without empty segments and commas.
fn is_path(path: &str) -> bool {
    let is_byte = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b',';
    path.len() + 2 <= MAX_PATH
        && path.bytes().all(is_byte)
        && path.split('/').all(|segment| !segment.is_empty())
}
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=.@-".contains(&byte)
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleArn({})", self.text)
    }
}

/// Why a text is not a [`RoleArn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRoleArn {
    /// It is longer than STS takes.
    #[error("a role ARN has at most {MAX_ARN} bytes")]
    TooLong,
    /// It is not of the form of a role ARN.
    #[error("a role ARN has the form arn:<partition>:iam::<account>:role/<name>")]
    Shape,
    /// The partition does not exist.
    #[error("the partition of a role ARN is one of AWS, such as aws, aws-cn or aws-us-gov")]
    Partition,
    /// The account is not an account id.
    #[error("the account of a role ARN is 12 digits")]
    Account,
    /// The path is not one of IAM, or has a comma.
    #[error(
        "the path of a role is non-empty segments of visible ASCII without a comma, up to {MAX_PATH} bytes"
    )]
    Path,
    /// The name is not one of IAM, or has a comma.
    #[error("the name of a role is 1 to {MAX_NAME} letters, digits and _+=.@-")]
    Name,
}

/// A partition of AWS: a separate world with its own accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Partition {
    /// `aws`, the commercial regions.
    #[default]
    Aws,
    /// `aws-cn`, China.
    China,
    /// `aws-us-gov`, `GovCloud` (US).
    GovCloud,
    /// `aws-eusc`, the European Sovereign Cloud.
    EuropeanSovereign,
    /// `aws-iso`
    Iso,
    /// `aws-iso-b`
    IsoB,
    /// `aws-iso-e`
    IsoE,
    /// `aws-iso-f`
    IsoF,
}

impl Partition {
    const ALL: [Self; 8] = [
        Self::Aws,
        Self::China,
        Self::GovCloud,
        Self::EuropeanSovereign,
        Self::Iso,
        Self::IsoB,
        Self::IsoE,
        Self::IsoF,
    ];

    /// The name used in ARNs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
            Self::EuropeanSovereign => "aws-eusc",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }
}

impl FromStr for Partition {
    type Err = UnknownPartition;

    fn from_str(text: &str) -> Result<Self, UnknownPartition> {
        Self::ALL.into_iter().find(|partition| partition.as_str() == text).ok_or(UnknownPartition)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no partition of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a partition is aws, aws-cn, aws-us-gov, aws-eusc, aws-iso, aws-iso-b, aws-iso-e or aws-iso-f")]
pub struct UnknownPartition;

/// The id of an AWS account: 12 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, InvalidAccountId> {
        let digits: [u8; 12] = text.as_bytes().try_into().map_err(|_| InvalidAccountId)?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits)).ok_or(InvalidAccountId)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountId({self})")
    }
}

/// The text is not 12 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account id is 12 digits")]
pub struct InvalidAccountId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read() {
        let role: RoleArn = "arn:aws-us-gov:iam::012345678901:role/team/a/Reader+x=.@-_".parse().unwrap();
        assert_eq!(role.partition(), Partition::GovCloud);
        assert_eq!(role.account().to_string(), "012345678901");
        assert_eq!(role.name(), "Reader+x=.@-_");
        assert_eq!(role.to_string(), "arn:aws-us-gov:iam::012345678901:role/team/a/Reader+x=.@-_");
    }

    #[test]
    fn only_role_arns_pass() {
        use InvalidRoleArn::{Account, Name, Partition, Path, Shape, TooLong};
        let long_name = format!("arn:aws:iam::111122223333:role/{}", "n".repeat(65));
        let long_path = format!("arn:aws:iam::111122223333:role/{}/n", "p".repeat(511));
        let long = format!("arn:aws:iam::111122223333:role/{}/n", "p".repeat(2048));
        let cases: &[(&str, InvalidRoleArn)] = &[
            ("", Shape),
            ("arn", Shape),
            ("ARN:aws:iam::111122223333:role/r", Shape),
            (" arn:aws:iam::111122223333:role/r", Shape),
            ("arn:aws:sts::111122223333:role/r", Shape),
            ("arn:aws:sts::111122223333:assumed-role/r/s", Shape),
            ("arn:aws:iam:us-east-1:111122223333:role/r", Shape),
            ("arn:aws:iam::111122223333:user/r", Shape),
            ("arn:aws:iam::111122223333:root", Shape),
            ("arn:aws:iam::111122223333:role", Shape),
            ("arn:aws:iam::111122223333", Shape),
            ("arn:AWS:iam::111122223333:role/r", Partition),
            ("arn:aws-xx:iam::111122223333:role/r", Partition),
            ("arn::iam::111122223333:role/r", Partition),
            ("arn:*:iam::111122223333:role/r", Partition),
            ("arn:aws:iam::11112222333:role/r", Account),
            ("arn:aws:iam::1111222233334:role/r", Account),
            ("arn:aws:iam:::role/r", Account),
            ("arn:aws:iam::aws:role/r", Account),
            ("arn:aws:iam::\u{0661}11122223333:role/r", Account),
            ("arn:aws:iam::111122223333:role/", Name),
            ("arn:aws:iam::111122223333:role/a/", Name),
            ("arn:aws:iam::111122223333:role/*", Name),
            ("arn:aws:iam::111122223333:role/a b", Name),
            ("arn:aws:iam::111122223333:role/a:b", Name),
            ("arn:aws:iam::111122223333:role/r,arn:aws:iam::111122223333:role", Name),
            ("arn:aws:iam::111122223333:role/r\n", Name),
            ("arn:aws:iam::111122223333:role/é", Name),
            (&long_name, Name),
            ("arn:aws:iam::111122223333:role//r", Path),
            ("arn:aws:iam::111122223333:role/a//r", Path),
            ("arn:aws:iam::111122223333:role/a b/r", Path),
            ("arn:aws:iam::111122223333:role/r, arn:aws:iam::111122223333:role/s", Path),
            (&long_path, Path),
            (&long, TooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<RoleArn>(), Err(*expected), "{text}");
        }
    }

    #[test]
    fn the_limits_of_iam_are_reached() {
        let name = "n".repeat(MAX_NAME);
        let path = "p".repeat(MAX_PATH - 2);
        assert!(format!("arn:aws:iam::111122223333:role/{path}/{name}").parse::<RoleArn>().is_ok());
    }

    #[test]
    fn partitions_have_one_spelling() {
        for partition in Partition::ALL {
            assert_eq!(partition.to_string().parse(), Ok(partition));
        }
        assert_eq!("AWS".parse::<Partition>(), Err(UnknownPartition));
    }
}
