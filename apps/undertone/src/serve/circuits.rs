//! From a tunnel to the session that answers it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use undertone_circuit::{Accepted, ServerHello, ServiceKeys, Tunnel, accept};
use undertone_service::VisitorSession;
use undertone_wire::{
    Now,
    account::RegisterRequest,
    circuit::Fault,
    rpc::{Answer, Dispatch, Method as _, OpenPushes, Service},
};

use super::{
    Planes,
    gate::{Handshaking, Pass},
    going_away,
    limits::Act,
    now,
};

/// What every circuit needs.
pub struct Circuits {
    keys: ServiceKeys,
    hello: ServerHello,
    planes: Planes,
    account: Counter,
    visitor: Counter,
    channel: Counter,
}

/// How many circuits are open, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCircuits {
    /// Of devices.
    pub account: u64,
    /// Of nobody, for one request.
    pub visitor: u64,
    /// Of whoever holds channels' keys.
    pub channel: u64,
}

impl Circuits {
    /// None yet.
    pub fn new(keys: ServiceKeys, planes: Planes) -> Self {
        let hello = ServerHello { parameters: planes.channels.parameters(), ..ServerHello::default() };
        let counter = Counter::default;
        Self { keys, hello, planes, account: counter(), visitor: counter(), channel: counter() }
    }

    /// How many are open now.
    pub fn open(&self) -> OpenCircuits {
        let Self { account, visitor, channel, .. } = self;
        OpenCircuits { account: account.read(), visitor: visitor.read(), channel: channel.read() }
    }

    /// Makes a circuit of a tunnel and serves it to its end.
    pub async fn carry(
        &self,
        tunnel: impl Tunnel,
        handshaking: Handshaking,
        pass: Pass,
        draining: watch::Receiver<bool>,
    ) {
        let mut rng = rand::make_rng::<StdRng>();
        let accepted = tokio::select! {
            accepted = accept(tunnel, &self.keys, &self.hello, &mut rng) => accepted,
            // A client that has no circuit yet is promised nothing.
            () = going_away(draining.clone()) => return,
        };
        drop(handshaking);
        let (kind, ending) = match accepted {
            Ok(Accepted::Account(incoming)) => {
                let _open = self.account.count();
                let session = self.planes.accounts.session(incoming.handshake_hash());
                let session = Metered { session, pass, act: account_act };
                ("account", incoming.serve(Arc::new(session), now, draining).await)
            }
            Ok(Accepted::Visitor(incoming)) => {
                let _open = self.visitor.count();
                let session = VisitorSession::new(self.planes.accounts.clone(), self.planes.channels.clone());
                let session = Metered { session, pass, act: |_| Some(Act::Visit) };
                ("visitor", incoming.serve(Arc::new(session), now, draining).await)
            }
            Ok(Accepted::Channel(incoming)) => {
                let _open = self.channel.count();
                let session = self.planes.channels.session(incoming.handshake_hash());
                let ending = incoming.serve(Arc::new(session), now, draining).await;
                drop(pass);
                ("channel", ending)
            }
            Err(error) => {
                tracing::debug!(%error, "no circuit came about");
                return;
            }
        };
        tracing::debug!(kind, ?ending, "a circuit ended");
    }
}

/// What an account circuit may ask before it has proven anything, and leaves something behind.
fn account_act(method: u32) -> Option<Act> {
    (method == RegisterRequest::NUMBER).then_some(Act::Registration)
}

/// A session whose acts are counted against its origin's allowance, of which it knows nothing itself.
struct Metered<D> {
    session: D,
    pass: Pass,
    /// The act that a method is, if any.
    act: fn(method: u32) -> Option<Act>,
}

impl<S: Service, D: Dispatch<S>> Dispatch<S> for Metered<D> {
    async fn dispatch(&self, now: Now, method: u32, body: Bytes, pushes: OpenPushes) -> Result<Answer, Fault> {
        if let Some(act) = (self.act)(method) {
            self.pass.act(act)?;
        }
        self.session.dispatch(now, method, body, pushes).await
    }
}

#[derive(Default)]
struct Counter(AtomicU64);

/// Counted while it lives.
struct Counted<'a>(&'a Counter);

impl Counter {
    fn count(&self) -> Counted<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
