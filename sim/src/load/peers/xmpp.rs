//! As much of XMPP (RFC 6120, RFC 6121) as two clients need to write to each other: nobody by name, over plain TCP.

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Duration, timeout},
};
use undertone_circuit::{Dialer as _, TcpDialer, Tunnel};

/// No answer takes so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Read at once.
const READ_BYTES: usize = 4 << 10;

const OPEN: &str = "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const AUTHENTICATE: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
const BIND: &str = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";

/// A connection to a server of this machine; none if nobody listens.
pub async fn dial(port: u16) -> Option<Box<dyn Tunnel>> {
    TcpDialer::new(format!("127.0.0.1:{port}")).dial().await.ok()
}

/// A client that is online.
pub struct Client {
    stream: Box<dyn Tunnel>,
    jid: String,
    /// What has come and was not taken yet.
    received: String,
}

impl Client {
    /// Comes online.
    pub async fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = dial(port).await.context("the server takes no connection")?;
        let mut client = Self { stream, jid: String::new(), received: String::new() };
        client.say(OPEN).await?;
        client.up_to("</stream:features>").await?;
        client.say(AUTHENTICATE).await?;
        client.up_to("<success").await?;
        client.up_to(">").await?;
        client.say(OPEN).await?;
        client.up_to("</stream:features>").await?;
        client.say(BIND).await?;
        let bound = client.up_to("</iq>").await?;
        let jid = bound.split_once("<jid>").and_then(|(_, rest)| rest.split_once("</jid>"));
        client.jid = jid.context("no address was bound")?.0.to_owned();
        client.say("<presence/>").await?;
        // Its own presence comes back; what comes of it by itself is passed over by `receive`.
        client.up_to("<presence").await?;
        Ok(client)
    }

    /// Its address.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// Sends a text.
    pub async fn send(&mut self, to: &str, text: &str) -> anyhow::Result<()> {
        self.say(&format!("<message to='{to}' type='chat'><body>{text}</body></message>")).await
    }

    /// Waits for the next text.
    pub async fn receive(&mut self) -> anyhow::Result<()> {
        let message = self.up_to("</message>").await?;
        if !message.contains("<body>") {
            bail!("the server sends something else than messages");
        }
        Ok(())
    }

    async fn say(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.stream.write_all(text.as_bytes()).await?)
    }

    /// Everything up to the next place where this stands, and it.
    async fn up_to(&mut self, end: &str) -> anyhow::Result<String> {
        loop {
            if let Some(place) = self.received.find(end) {
                let rest = self.received.split_off(place + end.len());
                return Ok(std::mem::replace(&mut self.received, rest));
            }
            // Read at the end of the string: answers are text, and a character that is cut can only be in a body.
            let mut bytes = [0; READ_BYTES];
            let read =
                timeout(PATIENCE, self.stream.read(&mut bytes)).await.context("the server does not answer")??;
            let bytes = bytes.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                bail!("the server ended a connection: {}", self.received);
            }
            self.received.push_str(&String::from_utf8_lossy(bytes));
        }
    }
}
