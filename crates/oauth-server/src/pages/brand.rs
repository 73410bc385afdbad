//! What an operator puts on the pages.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use url::Url;

use super::{
    STYLE,
    accent::{self, Colour},
    display::initial,
    logo::Logo,
};

const MAX_NAME: usize = 60;

/// The operator's name, logo, accent colour and support address, shown on every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    name: String,
    support: Option<String>,
    logo: Option<Logo>,
    style: String,
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
    /// The accent is no colour.
    #[error("the brand's accent {found:?} must be a colour such as \"#1f5fbf\"")]
    Accent {
        /// The value.
        found: String,
    },
    /// The logo is of another kind.
    #[error("the brand's logo must be a PNG, JPEG or WebP file; SVG can carry scripts and is not taken")]
    Logo,
    /// The logo would make every page slow.
    #[error("the brand's logo has {found} bytes: at most {max} are taken")]
    LogoTooLarge {
        /// How many it has.
        found: usize,
        /// How many it may have.
        max: usize,
    },
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
        Ok(Self { name: name.to_owned(), support, ..Self::default() })
    }

    /// The same with an accent colour, `#rrggbb`. Where it could not be read it is made darker or lighter.
    ///
    /// # Errors
    /// When it is no such colour.
    pub fn with_accent(mut self, colour: &str) -> Result<Self, BrandError> {
        let parsed = Colour::parse(colour).ok_or_else(|| BrandError::Accent { found: colour.to_owned() })?;
        self.style = format!("{STYLE}{}", accent::rules(parsed));
        Ok(self)
    }

    /// The same with a logo instead of the first letter of the name: the bytes of a PNG, JPEG or WebP file of at most 64 KiB.
    ///
    /// # Errors
    /// When it is none, or larger.
    pub fn with_logo(mut self, file: &[u8]) -> Result<Self, BrandError> {
        self.logo = Some(Logo::new(file)?);
        Ok(self)
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

    /// The logo.
    pub(super) fn logo(&self) -> Option<&Logo> {
        self.logo.as_ref()
    }

    /// The stylesheet of every page.
    pub(super) fn style(&self) -> &str {
        &self.style
    }

    /// Its hash, by which a browser accepts it.
    pub(super) fn style_hash(&self) -> String {
        BASE64_STANDARD.encode(digest(&SHA256, self.style.as_bytes()))
    }

    /// Where a person finds help.
    #[must_use]
    pub fn support(&self) -> Option<&str> {
        self.support.as_deref()
    }
}

impl Default for Brand {
    fn default() -> Self {
        Self { name: "Connect".to_owned(), support: None, logo: None, style: STYLE.to_owned() }
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
        let red = Brand::default().with_accent("red").unwrap_err();
        assert_eq!(red.to_string(), "the brand's accent \"red\" must be a colour such as \"#1f5fbf\"");
    }

    #[test]
    fn a_logo_is_a_small_picture() {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        for logo in [png.as_slice(), b"\xff\xd8\xff\xe0", b"RIFF\x10\0\0\0WEBPVP8 "] {
            assert!(Brand::default().with_logo(logo).is_ok(), "{logo:?}");
        }
        for other in [&b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"[..], b"GIF89a", b"\x89PNG", b""] {
            assert_eq!(Brand::default().with_logo(other), Err(BrandError::Logo), "{other:?}");
        }
        png.resize(64 * 1024, 0);
        assert!(Brand::default().with_logo(&png).is_ok());
        png.push(0);
        let expected = BrandError::LogoTooLarge { found: 64 * 1024 + 1, max: 64 * 1024 };
        assert_eq!(Brand::default().with_logo(&png), Err(expected));
    }
}
