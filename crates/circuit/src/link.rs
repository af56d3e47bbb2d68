//! Frames over a sealed stream.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use tokio::time::{Instant, timeout};
use undertone_wire::{
    circuit::{Frame, GoAway, Leaving, frame::Kind},
    frame::{self, FrameError},
    limits,
};

use crate::{
    noise::{Session, TAG_BYTES},
    sealed::{SealedStream, StreamError},
    tunnel::Tunnel,
};

/// With so much waiting to leave, nothing more is asked of those who answer: it bounds what a peer that does not read
/// can make us hold.
const ROOM_BYTES: usize = 64 << 10;
/// The last words of a circuit get so long.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A frame's own length.
const LENGTH_BYTES: usize = 4;
/// The longest body of a request, reply or push: with what stands around it in a frame, it still fits.
pub(crate) const BODY_BYTES_MAX: usize = limits::FRAME_BYTES_MAX - 64;

/// Why a link is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// The tunnel broke, perhaps in the middle of a frame.
    Lost(io::ErrorKind),
    /// The peer sent what no honest peer sends.
    Malformed,
}

impl From<StreamError> for LinkError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Lost(kind) => Self::Lost(kind),
            StreamError::Forged => Self::Malformed,
        }
    }
}

impl From<FrameError> for LinkError {
    fn from(_: FrameError) -> Self {
        Self::Malformed
    }
}

/// What happened on a link.
#[allow(clippy::large_enum_variant, reason = "it is returned and taken apart at once; a box would cost each frame")]
pub(crate) enum Step {
    /// A frame came.
    Frame(Frame),
    /// The peer closed its end, after a whole frame.
    Closed,
    /// All that was queued has left.
    Flushed,
}

/// One end of a circuit, below requests and replies.
pub(crate) struct Link {
    stream: SealedStream,
    received: BytesMut,
    frame_bytes_max: usize,
    flushed: bool,
}

impl Link {
    /// A link on which only Hello has its place so far.
    pub(crate) fn new(tunnel: Box<dyn Tunnel>, session: Session) -> Self {
        Self {
            stream: SealedStream::new(tunnel, session),
            received: BytesMut::new(),
            frame_bytes_max: limits::HELLO_FRAME_BYTES_MAX,
            flushed: true,
        }
    }

    /// Hello is done: frames of full length may come.
    pub(crate) fn open(&mut self) {
        self.frame_bytes_max = limits::FRAME_BYTES_MAX;
    }

    /// Puts a frame into the queue.
    pub(crate) fn queue(&mut self, id: u32, kind: Kind) {
        self.queue_bytes(&frame::encode(id, kind));
    }

    /// Puts bytes into the queue as they are.
    pub(crate) fn queue_bytes(&mut self, bytes: &[u8]) {
        self.stream.queue(bytes);
        self.flushed = false;
    }

    /// Whether there is room in the queue for more than what must be said.
    pub(crate) fn has_room(&self) -> bool {
        self.stream.unsent_bytes() < ROOM_BYTES
    }

    /// Whether all that was queued has left.
    pub(crate) fn is_flushed(&self) -> bool {
        self.flushed
    }

    /// Since when the peer has taken nothing of the queue.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.stream.stalled_since()
    }

    /// Writes what is queued, and reads if so wanted, until something happens. Nothing is lost by dropping it.
    pub(crate) async fn step(&mut self, read: bool) -> Result<Step, LinkError> {
        poll_fn(|cx| {
            if !self.flushed && self.poll_flush(cx)?.is_ready() {
                return Poll::Ready(Ok(Step::Flushed));
            }
            if read { self.poll_receive(cx) } else { Poll::Pending }
        })
        .await
    }

    /// Writes all that is queued.
    pub(crate) async fn flush(&mut self) -> Result<(), LinkError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// The next frame, while the queue is written; none if the peer closed its end.
    pub(crate) async fn receive(&mut self) -> Result<Option<Frame>, LinkError> {
        loop {
            match self.step(true).await? {
                Step::Frame(frame) => return Ok(Some(frame)),
                Step::Closed => return Ok(None),
                Step::Flushed => {}
            }
        }
    }

    /// Says why we leave, if there is a reason, and closes our end. A peer that does not listen is not waited for.
    pub(crate) async fn leave(&mut self, reason: Option<Leaving>) {
        if let Some(reason) = reason {
            self.queue(0, Kind::GoAway(GoAway { reason: reason.into() }));
        }
        let last_words = async {
            if self.flush().await.is_ok() {
                let _ = poll_fn(|cx| self.stream.poll_shutdown(cx)).await;
            }
        };
        let _ = timeout(LAST_WORDS, last_words).await;
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        ready!(self.stream.poll_flush(cx))?;
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, LinkError>> {
        loop {
            if let Some(frame) = frame::decode(&mut self.received, self.frame_bytes_max)? {
                if self.received.is_empty() {
                    self.received = BytesMut::new();
                }
                return Poll::Ready(Ok(Step::Frame(frame)));
            }
            let message_bytes_max = self.frame_bytes_max + LENGTH_BYTES + TAG_BYTES;
            if !ready!(self.stream.poll_read(cx, message_bytes_max, &mut self.received))? {
                let whole = self.received.is_empty() && !self.stream.is_partial();
                let cut = Err(LinkError::Lost(io::ErrorKind::UnexpectedEof));
                return Poll::Ready(if whole { Ok(Step::Closed) } else { cut });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use undertone_wire::circuit::Request;

    use super::*;

    #[test]
    fn the_longest_body_fits_a_frame() {
        let request = Request { method: u32::MAX, body: vec![1; BODY_BYTES_MAX].into(), deadline_ms: u32::MAX };
        let bytes = frame::encode(u32::MAX, Kind::Request(request));
        assert!(bytes.len() <= LENGTH_BYTES + limits::FRAME_BYTES_MAX);
    }
}
