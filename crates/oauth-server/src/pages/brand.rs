//! What an operator puts on the pages.

use url::Url;

use super::display::initial;

const MAX_NAME: usize = 60;

/// The operator's name and support address, shown on every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    name: String,
    support: Option<String>,
}

/// Why a [`Brand`] was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrandError {
    /// The name is empty, too long or has control characters.
    #[error("the brand's name must have 1 to {MAX_NAME} printable characters")]
    Name,
    /// The support link is neither https nor mailto.
    #[error("the brand's support link must be an https or mailto URL")]
    Support,
}

impl Brand {
    /// A brand with a `name` of 1 to 60 characters and, if wanted, a support link (`https:` or `mailto:`).
    ///
    /// # Errors
    /// When the name or the link is not of that form.
    pub fn new(name: &str, support: Option<&str>) -> Result<Self, BrandError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(BrandError::Name);
        }
        let support = support.map(support_link).transpose()?;
        Ok(Self { name: name.to_owned(), support })
    }

    /// The name shown in the header of every page.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The letter in the mark beside the name.
    pub(super) fn initial(&self) -> String {
        initial(&self.name)
    }

    /// Where a person finds help.
    #[must_use]
    pub fn support(&self) -> Option<&str> {
        self.support.as_deref()
    }
}

impl Default for Brand {
    fn default() -> Self {
        Self { name: "Connect".to_owned(), support: None }
    }
}

fn support_link(link: &str) -> Result<String, BrandError> {
    let url = Url::parse(link).map_err(|_| BrandError::Support)?;
    match url.scheme() {
        "https" | "mailto" => Ok(url.into()),
        _ => Err(BrandError::Support),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_links_are_checked() {
        let brand = Brand::new("  Acme ", Some("https://help.example/?a=1")).unwrap();
        assert_eq!((brand.name(), brand.support()), ("Acme", Some("https://help.example/?a=1")));
        assert_eq!(Brand::new("Acme", Some("mailto:help@acme.example")).unwrap().initial(), "A");
        for name in ["", "  ", "a\nb", &"x".repeat(61)] {
            assert_eq!(Brand::new(name, None), Err(BrandError::Name), "{name:?}");
        }
        for link in ["javascript:alert(1)", "http://help.example", "data:text/html,x", "/help", ""] {
            assert_eq!(Brand::new("Acme", Some(link)), Err(BrandError::Support), "{link:?}");
        }
    }
}
