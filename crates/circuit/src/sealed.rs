//! The byte stream inside a session: Noise messages, each `length (u16, big-endian) || ciphertext`.
//!
//! An idle stream holds no buffer: what arrives is read into one scratch buffer per thread, and what leaves is freed
//! when it has left.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    time::Instant,
};

use crate::{
    noise::{Forged, MESSAGE_BYTES_MAX, PLAINTEXT_BYTES_MAX, Session, TAG_BYTES},
    tunnel::Tunnel,
};

/// Read from a tunnel at once.
const SCRATCH_BYTES: usize = 64 << 10;
const LENGTH_BYTES: usize = 2;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Why a stream is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamError {
    /// The tunnel broke.
    Lost(io::ErrorKind),
    /// A message is too long, too short, or does not open.
    Forged,
}

impl From<io::Error> for StreamError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.kind())
    }
}

impl From<Forged> for StreamError {
    fn from(_: Forged) -> Self {
        Self::Forged
    }
}

pub(crate) struct SealedStream {
    tunnel: Box<dyn Tunnel>,
    session: Session,
    /// A message of which more must come.
    partial: Vec<u8>,
    /// Plaintext that waits to be sealed. It is sealed late, so that small frames share one message.
    unsealed: BytesMut,
    /// One sealed message, and how much of it has left.
    sealed: Vec<u8>,
    sent: usize,
    /// Since when the peer has taken nothing of what waits.
    stalled_since: Option<Instant>,
}

impl SealedStream {
    pub(crate) fn new(tunnel: Box<dyn Tunnel>, session: Session) -> Self {
        Self {
            tunnel,
            session,
            partial: Vec::new(),
            unsealed: BytesMut::new(),
            sealed: Vec::new(),
            sent: 0,
            stalled_since: None,
        }
    }

    /// Reads once, appends to `out` what could be opened of it, and returns whether the peer may send more.
    /// `message_bytes_max` bounds a sealed message.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        message_bytes_max: usize,
        out: &mut BytesMut,
    ) -> Poll<Result<bool, StreamError>> {
        // Taken, not borrowed: should a tunnel contain another one, each has a buffer of its own.
        let mut scratch = SCRATCH.take();
        scratch.resize(SCRATCH_BYTES, 0);
        let mut buffer = ReadBuf::new(&mut scratch);
        let polled = Pin::new(&mut self.tunnel).poll_read(cx, &mut buffer);
        let result = match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Ok(false)),
            Poll::Ready(Ok(())) => Poll::Ready(
                self.open_all(buffer.filled(), message_bytes_max.min(MESSAGE_BYTES_MAX), out).map(|()| true),
            ),
        };
        SCRATCH.set(scratch);
        result
    }

    /// Whether the peer has sent a message only in part.
    pub(crate) fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    fn open_all(&mut self, mut bytes: &[u8], message_bytes_max: usize, out: &mut BytesMut) -> Result<(), StreamError> {
        if !self.partial.is_empty() {
            bytes = self.complete_partial(bytes, message_bytes_max, out)?;
        }
        while let Some((message, rest)) = split_message(bytes, message_bytes_max)? {
            self.open(message, out)?;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Moves bytes to the partial message, which is opened once it is whole; returns what lies beyond it.
    fn complete_partial<'a>(
        &mut self,
        bytes: &'a [u8],
        message_bytes_max: usize,
        out: &mut BytesMut,
    ) -> Result<&'a [u8], StreamError> {
        let missing = LENGTH_BYTES.saturating_sub(self.partial.len());
        let (length, bytes) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        self.partial.extend_from_slice(length);
        let Some(message_bytes) = message_bytes(&self.partial, message_bytes_max)? else {
            return Ok(bytes);
        };
        let missing = (LENGTH_BYTES + message_bytes).saturating_sub(self.partial.len());
        let Some((end, beyond)) = bytes.split_at_checked(missing) else {
            self.partial.extend_from_slice(bytes);
            return Ok(&[]);
        };
        let mut whole = std::mem::take(&mut self.partial);
        whole.extend_from_slice(end);
        if let Some((message, _)) = split_message(&whole, message_bytes_max)? {
            self.open(message, out)?;
        }
        Ok(beyond)
    }

    fn open(&mut self, message: &[u8], out: &mut BytesMut) -> Result<(), StreamError> {
        let before = out.len();
        // A message is never shorter than its tag: `message_bytes`.
        out.resize(before + message.len() - TAG_BYTES, 0);
        let place = out.get_mut(before..).unwrap_or_default();
        Ok(self.session.open(message, place)?)
    }

    /// Adds to what waits to leave; the caller bounds it by [`SealedStream::unsent_bytes`].
    pub(crate) fn queue(&mut self, plaintext: &[u8]) {
        self.unsealed.extend_from_slice(plaintext);
    }

    /// How much waits to leave.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.unsealed.len() + self.sealed.len() - self.sent
    }

    /// Since when the peer has taken nothing of it.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    /// Ready once all that was queued has left.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        while self.unsent_bytes() > 0 {
            self.seal_next()?;
            let rest = self.sealed.get(self.sent..).unwrap_or_default();
            match Pin::new(&mut self.tunnel).poll_write(cx, rest) {
                Poll::Pending => {
                    self.stalled_since.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(StreamError::Lost(io::ErrorKind::WriteZero))),
                Poll::Ready(written) => self.sent += written?,
            }
            self.stalled_since = None;
            if self.sent == self.sealed.len() {
                self.sealed = Vec::new();
                self.sent = 0;
            }
        }
        ready!(Pin::new(&mut self.tunnel).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tunnel).poll_shutdown(cx)
    }

    fn seal_next(&mut self) -> Result<(), Forged> {
        if !self.sealed.is_empty() {
            return Ok(());
        }
        let plaintext_bytes = self.unsealed.len().min(PLAINTEXT_BYTES_MAX);
        let message_bytes = plaintext_bytes + TAG_BYTES;
        self.sealed.reserve_exact(LENGTH_BYTES + message_bytes);
        self.sealed.extend_from_slice(&u16::try_from(message_bytes).map_err(|_| Forged)?.to_be_bytes());
        self.sealed.resize(LENGTH_BYTES + message_bytes, 0);
        let plaintext = self.unsealed.get(..plaintext_bytes).unwrap_or_default();
        self.session.seal(plaintext, self.sealed.get_mut(LENGTH_BYTES..).unwrap_or_default())?;
        self.unsealed.advance(plaintext_bytes);
        if self.unsealed.is_empty() {
            self.unsealed = BytesMut::new();
        }
        Ok(())
    }
}

/// The stated length of the message that begins here, once it can be read.
fn message_bytes(bytes: &[u8], message_bytes_max: usize) -> Result<Option<usize>, StreamError> {
    let Some((length, _)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if (TAG_BYTES..=message_bytes_max).contains(&length) { Ok(Some(length)) } else { Err(StreamError::Forged) }
}

/// A message, and what lies beyond it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The message that begins here, once it is whole.
fn split_message(bytes: &[u8], message_bytes_max: usize) -> Result<Option<Split<'_>>, StreamError> {
    let Some(length) = message_bytes(bytes, message_bytes_max)? else {
        return Ok(None);
    };
    Ok(bytes.get(LENGTH_BYTES..).and_then(|rest| rest.split_at_checked(length)))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        future::poll_fn,
        sync::{Arc, LazyLock, Mutex},
    };

    use proptest::prelude::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
    use tokio::io::{AsyncRead, AsyncWrite};

    use super::*;
    use crate::{
        ServiceKeys,
        noise::{initiate, respond},
    };

    static KEYS: LazyLock<ServiceKeys> = LazyLock::new(|| ServiceKeys::generate(&mut ChaCha20Rng::seed_from_u64(0)));

    fn sessions() -> (Session, Session) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (client, message) = initiate(KEYS.public(), &mut rng).unwrap();
        let (service, message) = respond(&KEYS, &message, &mut rng).unwrap();
        (client.finish(&message).unwrap().session, service.session)
    }

    /// Gives one piece at each read, and keeps what is written.
    #[derive(Clone, Default)]
    struct Tape {
        pieces: VecDeque<Vec<u8>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl AsyncRead for Tape {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            out.put_slice(&self.pieces.pop_front().unwrap_or_default());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Tape {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.written.lock().unwrap().extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// What a stream puts on its tunnel for these writes.
    fn sealed(session: Session, writes: &[Vec<u8>]) -> Vec<u8> {
        let tape = Tape::default();
        let mut stream = SealedStream::new(Box::new(tape.clone()), session);
        for write in writes {
            stream.queue(write);
            now(poll_fn(|cx| stream.poll_flush(cx))).unwrap();
        }
        assert_eq!(stream.unsent_bytes() + stream.unsealed.capacity() + stream.sealed.capacity(), 0);
        tape.written.lock().unwrap().clone()
    }

    /// What a stream makes of these pieces.
    fn opened(session: Session, pieces: VecDeque<Vec<u8>>) -> Result<BytesMut, StreamError> {
        let mut stream = SealedStream::new(Box::new(Tape { pieces, ..Tape::default() }), session);
        let mut out = BytesMut::new();
        while now(poll_fn(|cx| stream.poll_read(cx, MESSAGE_BYTES_MAX, &mut out)))? {}
        assert_eq!(stream.is_partial(), stream.partial.capacity() > 0, "nothing is kept but a partial message");
        Ok(out)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bytes_come_out_as_they_went_in_however_they_are_cut(
            lengths in proptest::collection::vec(1usize..4_000, 1..6),
            cuts in proptest::collection::vec(prop_oneof![1usize..4, 1usize..5_000], 1..40),
        ) {
            let (client, service) = sessions();
            let writes: Vec<_> = (0..).zip(&lengths).map(|(byte, length)| vec![byte; *length]).collect();
            let bytes = sealed(client, &writes);
            let (mut rest, mut pieces) = (&bytes[..], VecDeque::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, next) = rest.split_at((*cut).min(rest.len()));
                pieces.push_back(piece.to_vec());
                rest = next;
            }
            prop_assert!(opened(service, pieces).unwrap() == writes.concat());
        }
    }

    #[test]
    fn long_writes_become_several_messages() {
        let (client, service) = sessions();
        let write = vec![7; 3 * PLAINTEXT_BYTES_MAX + 1];
        let bytes = sealed(client, std::slice::from_ref(&write));
        assert_eq!(bytes.len(), write.len() + 4 * (LENGTH_BYTES + TAG_BYTES));
        let pieces = bytes.chunks(SCRATCH_BYTES).map(<[u8]>::to_vec).collect();
        assert!(opened(service, pieces).unwrap() == write);
    }

    #[test]
    fn a_changed_bit_is_seen() {
        let bytes = sealed(sessions().0, &[vec![1; 40]]);
        for at in 2..bytes.len() {
            let mut tampered = bytes.clone();
            tampered[at] ^= 1;
            assert_eq!(opened(sessions().1, [tampered].into()).err(), Some(StreamError::Forged));
        }
    }
}
