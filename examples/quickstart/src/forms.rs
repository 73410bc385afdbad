//! The forms of a page, as a browser would submit them.

use html5gum::{Token, Tokenizer};

/// A form: where it goes and what it carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) action: String,
    /// Every input with its preset value, and no button.
    pub(crate) fields: Vec<(String, String)>,
    /// Every named button.
    pub(crate) buttons: Vec<(String, String)>,
}

impl Form {
    /// The fields with `changes` filled in, as a submission by pressing `button`, if the form has it.
    pub(crate) fn filled(
        &self,
        changes: &[(&str, &str)],
        button: Option<(&str, &str)>,
    ) -> Vec<(String, String)> {
        let mut fields = self.fields.clone();
        for (name, value) in &mut fields {
            if let Some((_, new)) = changes.iter().find(|(changed, _)| changed == name) {
                (*new).clone_into(value);
            }
        }
        fields.extend(button.map(|(name, value)| (name.to_owned(), value.to_owned())));
        fields
    }

    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    pub(crate) fn has_button(&self, name: &str, value: &str) -> bool {
        self.buttons.iter().any(|(button, preset)| button == name && preset == value)
    }
}

/// Every form of a page, in order.
pub(crate) fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut open = false;
    for Ok(token) in Tokenizer::new(html) {
        match token {
            Token::StartTag(tag) => {
                let attribute = |name: &str| {
                    let value = tag.attributes.get(name.as_bytes());
                    value.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
                };
                let pair = || (attribute("name"), attribute("value"));
                match (tag.name.as_slice(), forms.last_mut().filter(|_| open)) {
                    (b"form", _) => {
                        forms.push(Form { action: attribute("action"), ..Form::default() });
                        open = true;
                    }
                    (b"input", Some(form)) if !attribute("name").is_empty() => {
                        match attribute("type").as_str() {
                            "submit" => form.buttons.push(pair()),
                            _ => form.fields.push(pair()),
                        }
                    }
                    (b"button", Some(form)) if !attribute("name").is_empty() => form.buttons.push(pair()),
                    _ => {}
                }
            }
            Token::EndTag(tag) if tag.name.as_slice() == b"form" => open = false,
            _ => {}
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::{Form, forms};

    #[test]
    fn a_form_is_read_as_a_browser_reads_it() {
        let html = r#"<form action="/a?x=1&amp;y=2" method=post><input type=hidden name=csrf value="&quot;1&quot;">
            <input name="user"><button name="decision" value="allow">Go</button>
            <input type="submit" name="skip" value="Not now"></form><input name="outside">"#;
        let expected = Form {
            action: "/a?x=1&y=2".into(),
            fields: vec![("csrf".into(), "\"1\"".into()), ("user".into(), String::new())],
            buttons: vec![("decision".into(), "allow".into()), ("skip".into(), "Not now".into())],
        };
        assert_eq!(forms(html), [expected]);
    }

    #[test]
    fn filling_in_changes_only_what_is_named() {
        let form = Form {
            fields: vec![("csrf".into(), "1".into()), ("user".into(), String::new())],
            ..Form::default()
        };
        let filled = form.filled(&[("user", "ada")], Some(("decision", "allow")));
        let pairs: Vec<(&str, &str)> =
            filled.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("csrf", "1"), ("user", "ada"), ("decision", "allow")]);
    }
}
