//! Reads method, name and id of a JSON-RPC message while its bytes pass by.
//!
//! The scanner looks only at the members of the message and of its `params`; everything deeper is skipped by counting
//! brackets and quotes. It refuses what two parsers could read differently: a repeated member, a member that differs
//! from a known one only by case, a second value after the message. Anything that it lets pass and that is not JSON is
//! refused by the service's own parser, so both see the same message or none.

use memchr::memchr2;

/// The deepest nesting that passes; `serde_json` refuses the same depth.
const MAX_DEPTH: u32 = 127;
/// The longest spelling of a known member: each of its characters may be written as `\u0061`.
const MAX_KEY: usize = 6 * 6;
/// The longest method, name or identifier that is kept, in bytes as written.
const MAX_TEXT: usize = 4096;

/// What the scanner has seen of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// The method; absent in a response.
    pub(crate) method: Option<String>,
    /// `params.name`.
    pub(crate) name: Option<String>,
    /// `params.uri`.
    pub(crate) uri: Option<String>,
    /// `params.taskId`.
    pub(crate) task: Option<String>,
    /// The request identifier as JSON text.
    pub(crate) id: Option<String>,
}

/// Why a message is refused before any parser sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The body is a JSON array.
    #[error("batches are not accepted: send one message per request")]
    Batch,
    /// The body does not start as a JSON object or is cut short.
    #[error("the body is not a JSON-RPC message")]
    NotAMessage,
    /// A member occurs twice, or in two cases.
    #[error("a member of the message or of its params is repeated or differs from a known one by case")]
    Ambiguous,
    /// Nested too deeply.
    #[error("the message is nested too deeply")]
    TooDeep,
    /// A method, name or id is too long.
    #[error("the method, the name or the id is too long")]
    TooLong,
    /// The method comes too late to be known before the message is forwarded.
    #[error("the method must stand in the first 64 KiB of the message")]
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Message,
    Params,
}

/// The members that matter, each in its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Method,
    Id,
    Params,
    Name,
    Uri,
    Task,
    Other,
}

const MEMBERS: [(Level, Member, &str); 6] = [
    (Level::Message, Member::Method, "method"),
    (Level::Message, Member::Id, "id"),
    (Level::Message, Member::Params, "params"),
    (Level::Params, Member::Name, "name"),
    (Level::Params, Member::Uri, "uri"),
    (Level::Params, Member::Task, "taskId"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of the message.
    Start,
    /// In an object that matters; a key, or its end.
    BeforeKey,
    /// Inside a key.
    Key { escaped: bool },
    /// Between a key and its colon.
    AfterKey,
    /// Between a colon and its value.
    BeforeValue,
    /// Inside a string value.
    Text { escaped: bool },
    /// Inside a number, `true`, `false` or `null`.
    Scalar,
    /// After a value.
    AfterValue,
    /// Inside a value whose content does not matter; `depth` counts its open brackets.
    Skip { depth: u32, quoted: bool, escaped: bool },
    /// After the message.
    End,
}

/// A scanner over the bytes of one message, in any number of pieces.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    level: Level,
    member: Member,
    seen: u8,
    text: Vec<u8>,
    call: Call,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Start,
            level: Level::Message,
            member: Member::Other,
            seen: 0,
            text: Vec::with_capacity(64),
            call: Call::default(),
        }
    }

    /// What has been seen so far.
    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// What has been seen.
    pub(crate) fn into_call(self) -> Call {
        self.call
    }

    /// Whether the whole message has been seen.
    fn is_complete(&self) -> bool {
        self.state == State::End
    }

    /// Reads the next piece.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Unreadable> {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = match self.state {
                State::Key { escaped } => self.key(escaped, bytes)?,
                State::Text { escaped } => self.value_text(escaped, bytes)?,
                State::Skip { depth, quoted: true, escaped } => self.skip_text(depth, escaped, bytes),
                State::Skip { depth, .. } => {
                    self.skip(depth, byte)?;
                    rest
                }
                State::Scalar => self.scalar(byte, bytes, rest)?,
                _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => rest,
                _ => {
                    self.structure(byte)?;
                    rest
                }
            };
        }
        Ok(())
    }

    /// Says that no more bytes follow.
    pub(crate) fn finish(&self) -> Result<(), Unreadable> {
        if self.is_complete() { Ok(()) } else { Err(Unreadable::NotAMessage) }
    }

    fn structure(&mut self, byte: u8) -> Result<(), Unreadable> {
        self.state = match (self.state, byte) {
            (State::Start, b'[') => return Err(Unreadable::Batch),
            (State::BeforeKey, b'"') => State::Key { escaped: false },
            (State::BeforeKey | State::AfterValue, b'}') => self.close(),
            (State::AfterKey, b':') => State::BeforeValue,
            (State::BeforeValue, b'"') => State::Text { escaped: false },
            (State::BeforeValue, b'{') if self.member == Member::Params => {
                self.level = Level::Params;
                State::BeforeKey
            }
            (State::BeforeValue, b'{' | b'[') => State::Skip { depth: 1, quoted: false, escaped: false },
            (State::BeforeValue, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.keep(&[byte])?;
                State::Scalar
            }
            (State::Start, b'{') | (State::AfterValue, b',') => State::BeforeKey,
            _ => return Err(Unreadable::NotAMessage),
        };
        Ok(())
    }

    fn close(&mut self) -> State {
        match self.level {
            Level::Params => {
                self.level = Level::Message;
                State::AfterValue
            }
            Level::Message => State::End,
        }
    }

    fn key<'a>(&mut self, escaped: bool, bytes: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        let (text, rest, ended, escaped) = until_quote(escaped, bytes);
        // A longer key is none that matters; one byte more than the limit records that.
        let room = (MAX_KEY + 1).saturating_sub(self.text.len());
        self.text.extend_from_slice(text.get(..room).unwrap_or(text));
        self.state = State::Key { escaped };
        if ended {
            self.member = self.name_member()?;
            self.text.clear();
            self.state = State::AfterKey;
        }
        Ok(rest)
    }

    fn name_member(&mut self) -> Result<Member, Unreadable> {
        if self.text.len() > MAX_KEY {
            return Ok(Member::Other);
        }
        let decoded;
        let key = if self.text.contains(&b'\\') {
            decoded = unescape(&self.text)?;
            decoded.as_bytes()
        } else {
            &self.text
        };
        let known = MEMBERS
            .iter()
            .enumerate()
            .find(|(_, (level, _, name))| *level == self.level && folds_to(key, name.as_bytes()));
        let Some((index, &(_, member, name))) = known else { return Ok(Member::Other) };
        let bit = 1 << index;
        if key != name.as_bytes() || self.seen & bit != 0 {
            return Err(Unreadable::Ambiguous);
        }
        self.seen |= bit;
        Ok(member)
    }

    fn value_text<'a>(&mut self, escaped: bool, bytes: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        let (text, rest, ended, escaped) = until_quote(escaped, bytes);
        self.keep(text)?;
        self.state = State::Text { escaped };
        if ended {
            self.store_text()?;
            self.state = State::AfterValue;
        }
        Ok(rest)
    }

    fn store_text(&mut self) -> Result<(), Unreadable> {
        let place = match self.member {
            Member::Id => {
                let id = unescape(&self.text)?;
                self.text.clear();
                self.call.id = Some(serde_json::Value::String(id).to_string());
                return Ok(());
            }
            Member::Method => &mut self.call.method,
            Member::Name => &mut self.call.name,
            Member::Uri => &mut self.call.uri,
            Member::Task => &mut self.call.task,
            Member::Params => return Err(Unreadable::NotAMessage),
            Member::Other => return Ok(()),
        };
        *place = Some(unescape(&self.text)?);
        self.text.clear();
        Ok(())
    }

    fn scalar<'a>(&mut self, byte: u8, bytes: &'a [u8], rest: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-') {
            self.keep(&[byte])?;
            return Ok(rest);
        }
        match self.member {
            Member::Id if self.text != b"null" => self.call.id = Some(id_number(&self.text)?),
            Member::Method => return Err(Unreadable::NotAMessage),
            _ => {}
        }
        self.text.clear();
        self.state = State::AfterValue;
        Ok(bytes)
    }

    fn skip(&mut self, depth: u32, byte: u8) -> Result<(), Unreadable> {
        let depth = match byte {
            b'"' => {
                self.state = State::Skip { depth, quoted: true, escaped: false };
                return Ok(());
            }
            b'{' | b'[' => depth + 1,
            b'}' | b']' => depth - 1,
            _ => return Ok(()),
        };
        let outside = if self.level == Level::Params { 2 } else { 1 };
        if depth + outside > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        self.state =
            if depth == 0 { State::AfterValue } else { State::Skip { depth, quoted: false, escaped: false } };
        Ok(())
    }

    fn skip_text<'a>(&mut self, depth: u32, escaped: bool, bytes: &'a [u8]) -> &'a [u8] {
        let (_, rest, ended, escaped) = until_quote(escaped, bytes);
        self.state = State::Skip { depth, quoted: !ended, escaped };
        rest
    }

    fn keep(&mut self, text: &[u8]) -> Result<(), Unreadable> {
        if matches!(self.member, Member::Other | Member::Params) {
            return Ok(());
        }
        if self.text.len() + text.len() > MAX_TEXT {
            return Err(Unreadable::TooLong);
        }
        self.text.extend_from_slice(text);
        Ok(())
    }
}

/// Whether some parser takes `key` for `name`. Those that ignore case by Unicode's rules, as Go's does, fold two letters
/// beyond ASCII: `ſ` to `s`, and the Kelvin sign to `k`.
fn folds_to(key: &[u8], name: &[u8]) -> bool {
    if key.is_ascii() {
        return key.eq_ignore_ascii_case(name);
    }
    let fold = |letter: char| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    let plain = name.iter().map(|byte| char::from(byte.to_ascii_lowercase()));
    std::str::from_utf8(key).is_ok_and(|key| key.chars().map(fold).eq(plain))
}

/// Splits at the closing quote: the text, what follows, whether the quote was found, and whether the next byte is
/// escaped.
fn until_quote(mut escaped: bool, bytes: &[u8]) -> (&[u8], &[u8], bool, bool) {
    let mut from = usize::from(escaped && !bytes.is_empty());
    escaped &= bytes.is_empty();
    while let Some(at) = bytes.get(from..).and_then(|left| memchr2(b'"', b'\\', left)) {
        let at = from + at;
        if bytes.get(at) == Some(&b'"') {
            let (text, rest) = bytes.split_at(at);
            return (text, rest.get(1..).unwrap_or_default(), true, false);
        }
        from = at + 2;
        escaped = from > bytes.len();
    }
    (bytes, &[], false, escaped)
}

fn unescape(text: &[u8]) -> Result<String, Unreadable> {
    if !text.contains(&b'\\') {
        return std::str::from_utf8(text).map(str::to_owned).map_err(|_| Unreadable::NotAMessage);
    }
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(text);
    quoted.push(b'"');
    serde_json::from_slice(&quoted).map_err(|_| Unreadable::NotAMessage)
}

/// The identifier is repeated in answers, so it must be a JSON number.
fn id_number(text: &[u8]) -> Result<String, Unreadable> {
    serde_json::from_slice::<serde_json::Number>(text).map_err(|_| Unreadable::NotAMessage)?;
    String::from_utf8(text.to_vec()).map_err(|_| Unreadable::NotAMessage)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn scan(pieces: &[&[u8]]) -> Result<Call, Unreadable> {
        let mut scanner = Scanner::new();
        for piece in pieces {
            scanner.feed(piece)?;
        }
        scanner.finish()?;
        Ok(scanner.call)
    }

    fn call(method: &str, name: Option<&str>, id: Option<&str>) -> Call {
        Call {
            method: Some(method.into()),
            name: name.map(Into::into),
            id: id.map(Into::into),
            ..Call::default()
        }
    }

    #[test]
    fn reads_members_wherever_they_stand() {
        let cases: &[(&str, Call)] = &[
            (
                r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"name":"b"}}}"#,
                call("tools/call", Some("a"), Some("7")),
            ),
            (
                r#" {"method" : "tools/call" , "params": {"arguments":{"x":["}","\"",{}]},"name":"a"},"id":"q\"\n"} "#,
                call("tools/call", Some("a"), Some(r#""q\"\n""#)),
            ),
            (r#"{"m\u0065thod":"ping","id":null}"#, call("ping", None, None)),
            (
                r#"{"method":"ping","params":["name",{"name":"x"}],"id":-1.5e3}"#,
                call("ping", None, Some("-1.5e3")),
            ),
            (r#"{"method":"ping","params":{"_meta":{"name":"x"}}}"#, call("ping", None, None)),
            (r#"{"id":1,"result":{"method":"x"}}"#, Call { id: Some("1".into()), ..Call::default() }),
            (
                r#"{"method":"resources/read","params":{"uri":"a://\u00e9"}}"#,
                Call { uri: Some("a://é".into()), ..call("resources/read", None, None) },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(scan(&[text.as_bytes()]).as_ref(), Ok(expected), "{text}");
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(scan(&single).as_ref(), Ok(expected), "byte by byte: {text}");
        }
    }

    #[test]
    fn refuses_what_two_parsers_could_read_differently() {
        let deep = format!(r#"{{"params":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        let long = format!(r#"{{"method":"{}"}}"#, "a".repeat(5000));
        let cases: &[(&str, Unreadable)] = &[
            (r#"[{"method":"ping"}]"#, Unreadable::Batch),
            ("  [", Unreadable::Batch),
            ("", Unreadable::NotAMessage),
            ("\u{feff}{}", Unreadable::NotAMessage),
            ("7", Unreadable::NotAMessage),
            (r#"{"method":"a""#, Unreadable::NotAMessage),
            (r#"{"method":7}"#, Unreadable::NotAMessage),
            (r#"{"params":"x"}"#, Unreadable::NotAMessage),
            (r#"{"id":01}"#, Unreadable::NotAMessage),
            (r#"{"method":"\ud800"}"#, Unreadable::NotAMessage),
            (r#"{"method":"a"}{"method":"b"}"#, Unreadable::NotAMessage),
            (r#"{"method":"a","method":"b"}"#, Unreadable::Ambiguous),
            (r#"{"method":"a","meth\u006fd":"b"}"#, Unreadable::Ambiguous),
            (r#"{"Method":"a"}"#, Unreadable::Ambiguous),
            (r#"{"params":{"name":"a"},"paramſ":{"name":"b"}}"#, Unreadable::Ambiguous),
            (r#"{"param\u017F":{"name":"b"}}"#, Unreadable::Ambiguous),
            ("{\"params\":{\"tas\u{212a}Id\":\"a\"}}", Unreadable::Ambiguous),
            (r#"{"params":{"name":"a","name":"b"}}"#, Unreadable::Ambiguous),
            (r#"{"params":{"name":"a"},"params":{"name":"b"}}"#, Unreadable::Ambiguous),
            (&deep, Unreadable::TooDeep),
            (&long, Unreadable::TooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(scan(&[text.as_bytes()]), Err(*expected), "{text}");
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(".{0,8}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(
            method in any::<String>(), name in any::<String>(), id in any::<i64>(),
            arguments in json_value(), extra in json_value(), cut in any::<prop::sample::Index>(), pretty: bool,
        ) {
            let message = json!({
                "extra": extra, "id": id, "method": method, "params": { "arguments": arguments, "name": name },
            });
            let text = if pretty { serde_json::to_vec_pretty(&message) } else { serde_json::to_vec(&message) }.unwrap();
            let (left, right) = text.split_at(cut.index(text.len()));
            let scanned = scan(&[left, right]).unwrap();
            prop_assert_eq!(scanned, call(&method, Some(&name), Some(&id.to_string())));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let whole = scan(&[&bytes]);
            let pieces: Vec<&[u8]> = bytes.chunks(3).collect();
            prop_assert_eq!(whole, scan(&pieces));
        }
    }
}
