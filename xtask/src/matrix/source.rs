//! The markers of one file: on which test each stands.

use super::marker::{self, Marker};

/// One attack on one case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) number: u8,
    pub(super) file: String,
    pub(super) test: String,
    pub(super) attack: String,
    pub(super) answer: String,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) entries: Vec<Entry>,
    /// What is wrong, each with its place.
    pub(super) problems: Vec<String>,
}

/// Doc comment and attributes of what comes next.
#[derive(Default)]
struct Head {
    markers: Vec<(usize, Marker)>,
    is_test: bool,
    /// Brackets of an attribute that are still open.
    open: usize,
}

/// Reads a file line by line, as `rustfmt` leaves it.
pub(super) fn read(file: &str, text: &str) -> Source {
    let mut source = Source::default();
    let mut head = Head::default();
    for (index, line) in text.lines().enumerate() {
        let (line, at) = (line.trim(), index + 1);
        if head.open > 0 || line.starts_with("#[") {
            head.attribute(line);
        } else if let Some(comment) = line.strip_prefix("///") {
            match marker::read(comment.trim_start()) {
                Some(Ok(marker)) => head.markers.push((at, marker)),
                Some(Err(problem)) => source.problems.push(format!("{file}:{at}: {problem}")),
                None => {}
            }
        } else if let Some(comment) = line.strip_prefix("//") {
            if marker::read(comment.trim_start_matches('!').trim_start()).is_some_and(|read| read.is_ok()) {
                source.problems.push(format!("{file}:{at}: a marker begins with `///`"));
            }
        } else if !line.is_empty() {
            std::mem::take(&mut head).belongs_to(line, file, &mut source);
        }
    }
    source
}

impl Head {
    fn attribute(&mut self, line: &str) {
        self.is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let count = |bracket| line.matches(bracket).count();
        self.open = (self.open + count('[')).saturating_sub(count(']'));
    }

    fn belongs_to(self, item: &str, file: &str, source: &mut Source) {
        let test = function(item).filter(|_| self.is_test);
        for (at, marker) in self.markers {
            let Some(test) = test else {
                source
                    .problems
                    .push(format!("{file}:{at}: a marker stands on a test, and this is none: {item}"));
                continue;
            };
            source.entries.extend(marker.numbers.into_iter().map(|number| Entry {
                number,
                file: file.to_owned(),
                test: test.to_owned(),
                attack: marker.attack.clone(),
                answer: marker.answer.clone(),
            }));
        }
    }
}

/// The name of a function.
fn function(item: &str) -> Option<&str> {
    let rest = item.strip_prefix("async ").unwrap_or(item).strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::{Entry, read};

    fn entry(number: u8, test: &str) -> Entry {
        Entry {
            number,
            file: "a/b.rs".into(),
            test: test.into(),
            attack: "attack".into(),
            answer: "answer".into(),
        }
    }

    #[test]
    fn markers_belong_to_the_next_test() {
        let text = "
            /// Words.
            /// SEC-8, SEC-18: attack -> answer
            #[tokio::test(flavor = \"multi_thread\")]
            async fn first() {
                let unmarked = [1];
            }

            #[test]
            fn second() {}

            #[test]
            /// SEC-1: attack -> answer
            ///
            /// SEC-3: attack -> answer
            #[expect(
                clippy::unwrap_used,
                reason = \"[of] the test\"
            )]

            // Why.
            fn third<T>() {}
        ";
        let source = read("a/b.rs", text);
        assert_eq!(source.problems, <[String; 0]>::default());
        let expected = [entry(8, "first"), entry(18, "first"), entry(1, "third"), entry(3, "third")];
        assert_eq!(source.entries, expected);
    }

    #[test]
    fn a_marker_that_says_nothing_or_proves_nothing_is_named_with_its_place() {
        for (text, problem) in [
            ("/// SEC-8: attack\n#[test]\nfn a() {}", "a/b.rs:1: no ` -> ` before the expected answer"),
            (
                "\n/// SEC-8: a -> b\nfn a() {}",
                "a/b.rs:2: a marker stands on a test, and this is none: fn a() {}",
            ),
            (
                "/// SEC-8: a -> b\n#[test]\nmod a {}",
                "a/b.rs:1: a marker stands on a test, and this is none: mod a {}",
            ),
            (
                "#[test]\nfn a() {\n/// SEC-8: a -> b\n}\n#[test]\nfn b() {}",
                "a/b.rs:3: a marker stands on a test, and this is none: }",
            ),
            ("//! SEC-8: a -> b\n#[test]\nfn a() {}", "a/b.rs:1: a marker begins with `///`"),
            ("// SEC-8: a -> b\n#[test]\nfn a() {}", "a/b.rs:1: a marker begins with `///`"),
        ] {
            let source = read("a/b.rs", text);
            assert_eq!(source.problems, [problem], "{text}");
            assert_eq!(source.entries, [], "{text}");
        }
    }
}
