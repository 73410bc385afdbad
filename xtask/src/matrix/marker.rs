//! One line of a doc comment: `SEC-8, SEC-18: a code used twice -> 400 invalid_grant, the grant is revoked`.

/// The highest number of the checklist.
const LAST: u8 = 68;

/// What a marker says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// Cases of the checklist, at least one, rising.
    pub(super) numbers: Vec<u8>,
    /// What is tried.
    pub(super) attack: String,
    /// What must come of it.
    pub(super) answer: String,
}

/// Reads the text of a comment. `None` when it is no marker, an error when it is meant as one and cannot be read.
pub(super) fn read(comment: &str) -> Option<Result<Marker, &'static str>> {
    let digit = comment.strip_prefix("SEC-")?.starts_with(|first: char| first.is_ascii_digit());
    digit.then(|| parse(comment))
}

fn parse(comment: &str) -> Result<Marker, &'static str> {
    let (numbers, sentence) = comment.split_once(": ").ok_or("no `: ` after the numbers")?;
    let numbers = numbers.split(", ").map(number).collect::<Option<Vec<u8>>>();
    let numbers = numbers.ok_or("the numbers are not `SEC-1` to `SEC-68`, divided by `, `")?;
    if !numbers.is_sorted_by(|one, next| one < next) {
        return Err("the numbers do not rise");
    }
    let (attack, answer) = sentence.split_once(" -> ").ok_or("no ` -> ` before the expected answer")?;
    if answer.contains("->") {
        return Err("more than one `->`");
    }
    let filled = |text: &str| !text.is_empty() && text == text.trim() && !text.ends_with('.');
    if !filled(attack) || !filled(answer) {
        return Err("the attack or the answer is empty, or ends with a full stop or a space");
    }
    Ok(Marker { numbers, attack: attack.to_owned(), answer: answer.to_owned() })
}

fn number(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("SEC-")?;
    let number: u8 = digits.parse().ok()?;
    ((1..=LAST).contains(&number) && number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{Marker, read};

    #[test]
    fn a_marker_names_cases_attack_and_answer() {
        let expected = |numbers: &[u8]| Marker {
            numbers: numbers.to_vec(),
            attack: "a code used twice".into(),
            answer: "400 invalid_grant".into(),
        };
        for (text, numbers) in [("SEC-8", [8].as_slice()), ("SEC-8, SEC-18, SEC-68", &[8, 18, 68])] {
            let comment = format!("{text}: a code used twice -> 400 invalid_grant");
            assert_eq!(read(&comment).unwrap().unwrap(), expected(numbers), "{comment}");
        }
    }

    #[test]
    fn other_comments_are_none() {
        for comment in
            ["", "RFC 6749 §5.2: a -> b", "The case SEC-8: a -> b", "SEC-n: a -> b", "SEC- 8: a -> b"]
        {
            assert_eq!(read(comment), None, "{comment}");
        }
    }

    #[test]
    fn what_is_meant_as_a_marker_is_read_strictly() {
        for comment in [
            "SEC-8",
            "SEC-8 a -> b",
            "SEC-8:a -> b",
            "SEC-0: a -> b",
            "SEC-08: a -> b",
            "SEC-69: a -> b",
            "SEC-256: a -> b",
            "SEC-8,SEC-9: a -> b",
            "SEC-8, 9: a -> b",
            "SEC-9, SEC-8: a -> b",
            "SEC-8, SEC-8: a -> b",
            "SEC-8: a",
            "SEC-8: a ->",
            "SEC-8:  -> b",
            "SEC-8: a -> b -> c",
            "SEC-8: a -> b.",
            "SEC-8: a  -> b",
        ] {
            assert!(matches!(read(comment), Some(Err(_))), "{comment}");
        }
    }
}
