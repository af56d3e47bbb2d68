use std::io;

use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};

use super::{DialError, Dialer, Dialing, Tunnel};

/// Tunnels that nobody has taken yet; more are refused, as a full listen queue does.
const BACKLOG: usize = 64;

/// Tunnels within one process, for tests and simulations: each holds at most `bytes` on its way in either direction.
/// With the listener gone, dialling is refused.
pub fn memory(bytes: usize) -> (MemoryDialer, MemoryListener) {
    let (far_ends, incoming) = mpsc::channel(BACKLOG);
    (MemoryDialer { far_ends, bytes }, MemoryListener { incoming })
}

/// The dialling side of [`memory`].
#[derive(Clone)]
pub struct MemoryDialer {
    far_ends: mpsc::Sender<DuplexStream>,
    bytes: usize,
}

/// The listening side of [`memory`].
pub struct MemoryListener {
    incoming: mpsc::Receiver<DuplexStream>,
}

impl MemoryListener {
    /// The next tunnel; none once every dialer is gone.
    pub async fn accept(&mut self) -> Option<impl Tunnel + use<>> {
        self.incoming.recv().await
    }
}

impl Dialer for MemoryDialer {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async {
            let (near, far) = duplex(self.bytes);
            self.far_ends.try_send(far).map_err(|_| DialError(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(near) as Box<dyn Tunnel>)
        })
    }
}
