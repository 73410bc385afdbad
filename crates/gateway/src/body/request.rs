//! The body of a request: its beginning is read, the rest is watched while it passes. Not a byte is changed.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::timeout;

use crate::rpc::{Call, Scanner, Unreadable};

/// How much of a message is read before it is forwarded. Method and name must be in it when headers repeat them.
const PREFIX: usize = 64 * 1024;
/// How much is read in search of the identifier when the message cannot be forwarded.
const SEARCH: usize = 1024 * 1024;
/// How long that search may take.
const SEARCH_TIME: Duration = Duration::from_secs(5);

/// Why a body is not forwarded, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyFault {
    /// The message must not be forwarded.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Longer than the service takes.
    #[error("the body is longer than this service accepts")]
    TooLong,
    /// The client stopped sending.
    #[error("the rest of the body did not arrive in time")]
    Stalled,
    /// A body where the protocol has none.
    #[error("only POST carries a message: send this request without a body")]
    Unexpected,
    /// The client went away or broke the framing.
    #[error("the body ended early")]
    Broken,
}

/// The body on its way to the service; the client's trailers are dropped (SEC-44).
pub(crate) struct RequestBody {
    ready: Option<Bytes>,
    rest: Option<Box<Rest>>,
}

struct Rest {
    body: Pin<Box<dyn Body<Data = Bytes, Error = BodyFault> + Send>>,
    scanner: Option<Scanner>,
    left: u64,
    watch: Arc<Watch>,
}

/// A client's body, whose errors all mean the same here.
struct Foreign<B>(B);

impl<B> Body for Foreign<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(|_| BodyFault::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// What is known of a body that is still arriving.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pieces: AtomicU32,
    finished: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    id: Option<String>,
    fault: Option<BodyFault>,
}

impl Watch {
    /// Counts the pieces that arrived.
    pub(crate) fn pieces(&self) -> u32 {
        self.pieces.load(Ordering::Relaxed)
    }

    /// Whether the body arrived whole.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Why the body was cut.
    pub(crate) fn fault(&self) -> Option<BodyFault> {
        self.seen().fault
    }

    /// The message's identifier, once it was seen.
    pub(crate) fn id(&self) -> Option<String> {
        self.seen().id.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body whose beginning was read.
pub(crate) struct Opened {
    pub(crate) body: RequestBody,
    pub(crate) call: Call,
    /// Present while more of the body is to come.
    pub(crate) watch: Option<Arc<Watch>>,
}

/// Takes a body that is not read.
pub(crate) fn open_unread<B>(body: B, max: u64) -> Result<Opened, BodyFault>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    if body.is_end_stream() {
        let body = RequestBody { ready: None, rest: None };
        return Ok(Opened { body, call: Call::default(), watch: None });
    }
    check_length(&body, max)?;
    let watch = Arc::new(Watch::default());
    let rest = Rest { body: Box::pin(Foreign(body)), scanner: None, left: max, watch: Arc::clone(&watch) };
    Ok(Opened {
        body: RequestBody { ready: None, rest: Some(Box::new(rest)) },
        call: Call::default(),
        watch: Some(watch),
    })
}

/// Takes a request that has no body. One that nobody expects is read by nobody here, and a service that leaves it on
/// its connection would take it for the next request.
pub(crate) fn open_none(body: &impl Body) -> Result<Opened, BodyFault> {
    if !body.is_end_stream() {
        return Err(BodyFault::Unexpected);
    }
    Ok(Opened { body: RequestBody { ready: None, rest: None }, call: Call::default(), watch: None })
}

/// Reads a message up to its end or up to [`PREFIX`] bytes.
pub(crate) async fn open<B>(body: B, max: u64, idle: Duration) -> Result<Opened, BodyFault>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    let mut body = Foreign(body);
    check_length(&body, max)?;
    let mut scanner = Scanner::new();
    let mut read = Read::default();
    let mut is_whole = body.is_end_stream();
    while !is_whole && read.len < PREFIX {
        match next_piece(&mut body, idle).await? {
            Some(piece) => {
                scanner.feed(&piece)?;
                read.push(piece);
                is_whole = body.is_end_stream();
            }
            None => is_whole = true,
        }
    }
    let length = u64::try_from(read.len).unwrap_or(u64::MAX);
    let left = max.checked_sub(length).ok_or(BodyFault::TooLong)?;
    if is_whole {
        scanner.finish()?;
        let body = RequestBody { ready: read.into_bytes(), rest: None };
        return Ok(Opened { body, call: scanner.into_call(), watch: None });
    }
    let call = scanner.call().clone();
    let watch = Arc::new(Watch::default());
    watch.seen().id.clone_from(&call.id);
    let rest = Rest { body: Box::pin(body), scanner: Some(scanner), left, watch: Arc::clone(&watch) };
    Ok(Opened {
        body: RequestBody { ready: read.into_bytes(), rest: Some(Box::new(rest)) },
        call,
        watch: Some(watch),
    })
}

fn check_length(body: &impl Body, max: u64) -> Result<(), BodyFault> {
    if body.size_hint().lower() > max { Err(BodyFault::TooLong) } else { Ok(()) }
}

/// The next piece of data. The timer exists only when it must be waited for.
async fn next_piece<B>(body: &mut B, idle: Duration) -> Result<Option<Bytes>, BodyFault>
where
    B: Body<Data = Bytes, Error = BodyFault> + Unpin,
{
    loop {
        let mut next = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
        let at_once = poll_fn(|cx| Poll::Ready(Pin::new(&mut next).poll(cx))).await;
        let frame = match at_once {
            Poll::Ready(frame) => frame,
            Poll::Pending => Box::pin(timeout(idle, next)).await.map_err(|_| BodyFault::Stalled)?,
        };
        match frame {
            None => return Ok(None),
            Some(Err(fault)) => return Err(fault),
            // Trailers are never merged nor forwarded.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// What was read ahead: nearly always one piece, which is then kept as it is.
#[derive(Default)]
struct Read {
    first: Option<Bytes>,
    more: BytesMut,
    len: usize,
}

impl Read {
    fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        match &self.first {
            None => self.first = Some(piece),
            Some(first) => {
                if self.more.is_empty() {
                    self.more.extend_from_slice(first);
                }
                self.more.extend_from_slice(&piece);
            }
        }
    }

    fn into_bytes(self) -> Option<Bytes> {
        let bytes = if self.more.is_empty() { self.first? } else { self.more.freeze() };
        (!bytes.is_empty()).then_some(bytes)
    }
}

impl RequestBody {
    /// Reads on in search of the message's identifier, for a body that cannot be forwarded.
    pub(crate) async fn find_id(mut self) {
        let Some(watch) = self.rest.as_ref().map(|rest| Arc::clone(&rest.watch)) else { return };
        self.ready = None;
        let search = async {
            let mut read = 0;
            while read < SEARCH && watch.id().is_none() {
                match poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
                    Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
                    Some(Err(_)) | None => return,
                }
            }
        };
        // Without an answer in time the error has no identifier.
        let _ = timeout(SEARCH_TIME, search).await;
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if let Some(ready) = self.ready.take() {
            return Poll::Ready(Some(Ok(Frame::data(ready))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        Poll::Ready(match ready!(rest.poll_piece(cx)) {
            Ok(piece) => piece.map(|piece| Ok(Frame::data(piece))),
            Err(fault) => {
                rest.watch.seen().fault = Some(fault);
                Some(Err(fault))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ready = u64::try_from(self.ready.as_ref().map_or(0, Bytes::len)).unwrap_or(u64::MAX);
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), |rest| rest.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ready));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(ready));
        }
        hint
    }
}

impl Rest {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyFault>> {
        loop {
            let Some(frame) = ready!(self.body.as_mut().poll_frame(cx)?) else {
                if let Some(scanner) = &self.scanner {
                    scanner.finish()?;
                }
                self.watch.finished.store(true, Ordering::Relaxed);
                return Poll::Ready(Ok(None));
            };
            if let Ok(piece) = frame.into_data() {
                self.look_at(&piece)?;
                return Poll::Ready(Ok(Some(piece)));
            }
        }
    }

    fn look_at(&mut self, piece: &[u8]) -> Result<(), BodyFault> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(BodyFault::TooLong)?;
        if let Some(scanner) = &mut self.scanner {
            let (had_id, had_method) = (scanner.call().id.is_some(), scanner.call().method.is_some());
            scanner.feed(piece)?;
            if !had_id && scanner.call().id.is_some() {
                self.watch.seen().id.clone_from(&scanner.call().id);
            }
            // It was forwarded, and recorded, as a message without one.
            if !had_method && scanner.call().method.is_some() {
                return Err(Unreadable::Late.into());
            }
        }
        self.watch.pieces.fetch_add(1, Ordering::Relaxed);
        if self.body.is_end_stream() {
            self.watch.finished.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("is_whole", &self.rest.is_none()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, convert::Infallible};

    use http::HeaderMap;

    use super::*;

    /// A body of prepared frames.
    struct Pieces(VecDeque<Frame<Bytes>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn pieces(texts: &[&str]) -> Pieces {
        Pieces(texts.iter().map(|text| Frame::data(Bytes::copy_from_slice(text.as_bytes()))).collect())
    }

    async fn collect(mut body: RequestBody) -> Result<String, BodyFault> {
        let mut text = String::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            text.push_str(std::str::from_utf8(&frame?.into_data().unwrap()).unwrap());
        }
        Ok(text)
    }

    const IDLE: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_short_message_is_read_whole_and_passes_unchanged() {
        let mut body = pieces(&[r#"{"id":1, "#, r#""method" : "ping"}"#]);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-decided-role", "evil".parse().unwrap());
        body.0.push_back(Frame::trailers(trailers));
        let opened = open(body, 1000, IDLE).await.unwrap();
        assert_eq!(opened.call.method.as_deref(), Some("ping"));
        assert!(opened.watch.is_none());
        assert_eq!(collect(opened.body).await.unwrap(), r#"{"id":1, "method" : "ping"}"#);
    }

    #[tokio::test]
    async fn a_long_message_streams_and_its_end_is_still_read() {
        let filler = "x".repeat(PREFIX);
        let start = format!(r#"{{"method":"tools/call","params":{{"name":"a","arguments":"{filler}"#);
        let good = r#""},"id":"late"}"#;
        let opened = open(pieces(&[&start, good]), 1 << 20, IDLE).await.unwrap();
        assert_eq!((opened.call.name.as_deref(), opened.call.id.as_deref()), (Some("a"), None));
        let watch = opened.watch.unwrap();
        assert_eq!(collect(opened.body).await.unwrap(), format!("{start}{good}"));
        assert_eq!(watch.id().as_deref(), Some(r#""late""#));
        assert!(watch.is_finished());

        let second_name = r#"","name":"b"},"id":1}"#;
        let opened = open(pieces(&[&start, second_name]), 1 << 20, IDLE).await.unwrap();
        let watch = opened.watch.unwrap();
        let fault = BodyFault::Unreadable(Unreadable::Ambiguous);
        assert_eq!(collect(opened.body).await, Err(fault));
        assert_eq!(watch.fault(), Some(fault));
    }

    #[tokio::test]
    async fn a_method_cannot_hide_behind_a_long_beginning() {
        for start in [" ".repeat(PREFIX), format!(r#"{{"x":"{}","#, "x".repeat(PREFIX))] {
            let rest =
                if start.starts_with('{') { r#""id":5,"method":"m"}"# } else { r#"{"id":5,"method":"m"}"# };
            let opened = open(pieces(&[&start, rest]), 1 << 20, IDLE).await.unwrap();
            assert_eq!(collect(opened.body).await, Err(Unreadable::Late.into()), "{rest}");
            assert_eq!(opened.watch.unwrap().id().as_deref(), Some("5"), "{rest}");
        }
        let result = format!(r#"{{"id":1,"result":"{}"#, "x".repeat(PREFIX));
        let opened = open(pieces(&[&result, r#""}"#]), 1 << 20, IDLE).await.unwrap();
        assert!(collect(opened.body).await.is_ok(), "a response has none");
    }

    #[tokio::test]
    async fn the_identifier_is_found_when_nothing_can_be_forwarded() {
        let start = format!(r#"{{"method":"m","params":{{"a":"{}"#, "x".repeat(PREFIX));
        let opened = open(pieces(&[&start, "yy", r#""},"id":5}"#]), 1 << 20, IDLE).await.unwrap();
        opened.body.find_id().await;
        assert_eq!(opened.watch.unwrap().id().as_deref(), Some("5"));
    }

    #[tokio::test]
    async fn limits_hold_for_known_and_unknown_lengths() {
        assert_eq!(open(pieces(&[r#"{"id":1}"#]), 7, IDLE).await.err(), Some(BodyFault::TooLong));
        assert!(open(pieces(&[r#"{"id":1}"#]), 8, IDLE).await.is_ok());
        let opened = open_unread(pieces(&["abc", "def"]), 5).unwrap();
        assert_eq!(collect(opened.body).await, Err(BodyFault::TooLong));
        let empty = open(pieces(&[]), 5, IDLE).await.err();
        assert_eq!(empty, Some(BodyFault::Unreadable(Unreadable::NotAMessage)));
    }
}
