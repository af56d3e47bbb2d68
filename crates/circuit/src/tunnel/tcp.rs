use tokio::net::TcpStream;

use super::{Dialer, Dialing, Tunnel};

/// Opens bare TCP connections to one endpoint.
#[derive(Clone)]
pub struct TcpDialer {
    endpoint: String,
}

impl TcpDialer {
    /// To `HOST:PORT`, as a link names it; an IPv6 address stands in brackets.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into() }
    }
}

impl Dialer for TcpDialer {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async {
            let stream = TcpStream::connect(&self.endpoint).await?;
            // Frames are written whole; to wait for more to send with them would only delay them.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Tunnel>)
        })
    }
}
