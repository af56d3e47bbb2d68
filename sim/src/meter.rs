//! Counts what goes over the connections of one device, as an observer of its line would.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use undertone_circuit::{Dialer, Dialing, Tunnel};

/// What went over a line.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Traffic {
    /// Connections that were made.
    pub connections: u64,
    /// Times that the device spoke after it had listened, or first: requests, where none is sent before the last was
    /// answered; handshakes and pings among them.
    pub turns: u64,
    /// Bytes that it sent, below Noise and above TCP.
    pub up_bytes: u64,
    /// Bytes that it was sent.
    pub down_bytes: u64,
}

impl Traffic {
    /// Each count with that of another.
    pub fn with(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            connections: of(self.connections, other.connections),
            turns: of(self.turns, other.turns),
            up_bytes: of(self.up_bytes, other.up_bytes),
            down_bytes: of(self.down_bytes, other.down_bytes),
        }
    }
}

/// The meter of one device.
#[derive(Default)]
pub struct Meter {
    connections: AtomicU64,
    turns: AtomicU64,
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
}

impl Meter {
    /// What it shows.
    pub fn read(&self) -> Traffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            connections: count(&self.connections),
            turns: count(&self.turns),
            up_bytes: count(&self.up_bytes),
            down_bytes: count(&self.down_bytes),
        }
    }

    /// Ways on which it counts.
    pub fn over(self: &Arc<Self>, way: Arc<dyn Dialer>) -> Arc<dyn Dialer> {
        Arc::new(Metered { way, meter: self.clone() })
    }
}

struct Metered {
    way: Arc<dyn Dialer>,
    meter: Arc<Meter>,
}

impl Dialer for Metered {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async {
            let tunnel = self.way.dial().await?;
            count(&self.meter.connections, 1);
            Ok(Box::new(Line { tunnel, meter: self.meter.clone(), speaks: false }) as Box<dyn Tunnel>)
        })
    }
}

struct Line {
    tunnel: Box<dyn Tunnel>,
    meter: Arc<Meter>,
    /// Whether the device spoke last.
    speaks: bool,
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut line.tunnel).poll_read(context, buffer))?;
        let bytes = buffer.filled().len() - before;
        count(&line.meter.down_bytes, bytes);
        line.speaks &= bytes == 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let written = ready!(Pin::new(&mut line.tunnel).poll_write(context, bytes))?;
        count(&line.meter.up_bytes, written);
        count(&line.meter.turns, usize::from(!std::mem::replace(&mut line.speaks, true)));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tunnel).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tunnel).poll_shutdown(context)
    }
}

fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use undertone_circuit::memory;

    use super::*;

    #[tokio::test]
    async fn who_speaks_after_he_has_listened_takes_a_turn() {
        let (dialer, mut listener) = memory(64);
        let meter = Arc::new(Meter::default());
        let mut near = meter.over(Arc::new(dialer)).dial().await.ok().unwrap();
        let mut far = listener.accept().await.unwrap();
        for _ in 0..3 {
            near.write_all(b"one").await.unwrap();
            near.write_all(b"two").await.unwrap();
            far.write_all(b"three").await.unwrap();
            near.read_exact(&mut [0; 5]).await.unwrap();
        }
        let Traffic { connections, turns, up_bytes, down_bytes } = meter.read();
        assert_eq!([connections, turns, up_bytes, down_bytes], [1, 3, 18, 15]);
    }
}
