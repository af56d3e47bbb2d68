//! From a tunnel to the session that answers it.

use std::{
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use undertone_circuit::{Accepted, Ending, ServerHello, ServiceKeys, Tunnel, accept};
use undertone_service::VisitorSession;
use undertone_wire::{
    Now,
    account::RegisterRequest,
    circuit::Fault,
    directory::{BeginQueryRequest, EvaluateRequest},
    rpc::{Answer, Dispatch, Method as _, OpenPushes, Service},
};

use super::{
    Planes,
    gate::{Handshaking, Pass},
    going_away,
    limits::Act,
};
use crate::clock::now;

/// What every circuit needs.
pub struct Circuits {
    keys: ServiceKeys,
    hello: RwLock<Arc<ServerHello>>,
    planes: Planes,
    account: Counter,
    visitor: Counter,
    channel: Counter,
    blob: Counter,
    directory: Counter,
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
    /// Of whoever puts or fetches a blob.
    pub blob: u64,
    /// Of whoever looks somebody up.
    #[serde(default)]
    pub directory: u64,
}

impl Circuits {
    /// None yet.
    pub fn new(keys: ServiceKeys, planes: Planes, hello: ServerHello) -> Self {
        let hello = RwLock::new(Arc::new(hello));
        let kinds = ["account", "visitor", "channel", "blob", "directory"];
        let [account, visitor, channel, blob, directory] = kinds.map(Counter::new);
        Self { keys, hello, planes, account, visitor, channel, blob, directory }
    }

    /// What circuits are told from now on, first of all.
    pub fn show(&self, hello: ServerHello) {
        *self.hello.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(hello);
    }

    /// How many are open now.
    pub fn open(&self) -> OpenCircuits {
        let Self { account, visitor, channel, blob, directory, .. } = self;
        let [account, visitor, channel, blob, directory] =
            [account, visitor, channel, blob, directory].map(Counter::read);
        OpenCircuits { account, visitor, channel, blob, directory }
    }

    /// Makes a circuit of a tunnel and serves it to its end.
    pub async fn carry(
        &self,
        tunnel: impl Tunnel,
        handshaking: Handshaking,
        pass: Pass,
        draining: watch::Receiver<bool>,
    ) {
        // Boxed, so that a circuit keeps no room for its handshake: it may live for days, and there are many.
        let Some(accepted) = Box::pin(self.accept(tunnel, handshaking, draining.clone())).await else {
            return;
        };
        let (counter, serving) = self.serve(accepted, pass, draining);
        let _open = counter.count();
        let ending = serving.await;
        tracing::debug!(kind = counter.kind, ?ending, "a circuit ended");
    }

    /// Does the handshake. None: there is no circuit, for whatever reason.
    async fn accept(
        &self,
        tunnel: impl Tunnel,
        _handshaking: Handshaking,
        draining: watch::Receiver<bool>,
    ) -> Option<Accepted> {
        let mut rng = rand::make_rng::<StdRng>();
        let hello = self.hello.read().unwrap_or_else(PoisonError::into_inner).clone();
        let accepted = tokio::select! {
            accepted = accept(tunnel, &self.keys, &hello, &mut rng) => accepted,
            // A client that has no circuit yet is promised nothing.
            () = going_away(draining) => return None,
        };
        accepted.inspect_err(|error| tracing::debug!(%error, "no circuit came about")).ok()
    }

    /// Has the session of its kind answer a circuit, to its end.
    fn serve(&self, accepted: Accepted, pass: Pass, draining: watch::Receiver<bool>) -> (&Counter, Serving) {
        match accepted {
            Accepted::Account(incoming) => {
                let session = self.planes.accounts.session(incoming.handshake_hash());
                let session = Metered { session, pass, act: account_act };
                (&self.account, Box::pin(incoming.serve(Arc::new(session), now, draining)))
            }
            Accepted::Visitor(incoming) => {
                let session = VisitorSession::new(self.planes.accounts.clone(), self.planes.channels.clone());
                let session = Metered { session, pass, act: |_| Some(Act::Visit) };
                (&self.visitor, Box::pin(incoming.serve(Arc::new(session), now, draining)))
            }
            Accepted::Channel(incoming) => {
                let session = self.planes.channels.session(incoming.handshake_hash());
                let session = Metered { session, pass, act: |_| None };
                (&self.channel, Box::pin(incoming.serve(Arc::new(session), now, draining)))
            }
            Accepted::Blob(incoming) => {
                let session = Metered { session: self.planes.blobs.session(), pass, act: |_| None };
                (&self.blob, Box::pin(incoming.serve(Arc::new(session), now, draining)))
            }
            Accepted::Directory(incoming) => {
                let session = Metered { session: self.planes.directory.session(), pass, act: directory_act };
                (&self.directory, Box::pin(incoming.serve(Arc::new(session), now, draining)))
            }
        }
    }
}

type Serving = Pin<Box<dyn Future<Output = Ending> + Send>>;

/// What an account circuit may ask before it has proven anything, and leaves something behind.
fn account_act(method: u32) -> Option<Act> {
    (method == RegisterRequest::NUMBER).then_some(Act::Registration)
}

/// What a directory circuit may ask that takes long to answer.
fn directory_act(method: u32) -> Option<Act> {
    [EvaluateRequest::NUMBER, BeginQueryRequest::NUMBER].contains(&method).then_some(Act::Visit)
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

/// Open circuits of one kind.
struct Counter {
    kind: &'static str,
    open: AtomicU64,
}

/// Counted while it lives.
struct Counted<'a>(&'a Counter);

impl Counter {
    fn new(kind: &'static str) -> Self {
        Self { kind, open: AtomicU64::new(0) }
    }

    fn count(&self) -> Counted<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    fn read(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use undertone_circuit::{CallError, Circuit, MemoryDialer, MemoryListener, memory};
    use undertone_service::{Issuer, Registration};
    use undertone_wire::{
        account::Account,
        circuit::Code,
        rpc,
        visitor::{FetchContactRequest, Visitor},
    };

    use super::*;
    use crate::serve::{DataFolder, Keys, Rules, gate::Gate, parameters};

    struct Fixture {
        _data: tempfile::TempDir,
        circuits: Arc<Circuits>,
        gate: Arc<Gate>,
        dialer: MemoryDialer,
        listener: MemoryListener,
        drain: watch::Sender<bool>,
    }

    impl Fixture {
        async fn new() -> Self {
            let data = tempfile::tempdir().unwrap();
            let folder = DataFolder::new(data.path().to_owned());
            let Keys { circuit, head, issuing } = Keys::load_or_create(&folder, &mut rand::rng()).ok().unwrap();
            let issuer = Issuer::new(issuing, rand::make_rng::<StdRng>());
            let rules = Rules { registration: Registration::Open, codes: None, blob_bytes: 1 << 30 };
            let planes = Planes::open(&folder, rules, head, issuer).await.unwrap();
            let hello = parameters::hello(&folder, &planes, now()).ok().unwrap();
            let (dialer, listener) = memory(64 << 10);
            let circuits = Arc::new(Circuits::new(circuit, planes, hello));
            Self {
                _data: data,
                circuits,
                gate: Arc::new(Gate::new(1_000)),
                dialer,
                listener,
                drain: watch::Sender::new(false),
            }
        }

        /// A circuit from somewhere.
        async fn circuit<S: rpc::Service>(&mut self, from: [u8; 4]) -> Circuit<S> {
            let pin = self.circuits.keys.pin();
            let (handshaking, pass) = self.gate.admit(IpAddr::from(from)).ok().unwrap();
            let (circuits, draining) = (self.circuits.clone(), self.drain.subscribe());
            let mut rng = rand::make_rng::<StdRng>();
            let connecting = Circuit::connect(&self.dialer, &pin, None, &mut rng);
            let accepting = async {
                let tunnel = self.listener.accept().await.unwrap();
                tokio::spawn(async move { circuits.carry(tunnel, handshaking, pass, draining).await });
            };
            let (circuit, ()) = tokio::join!(connecting, accepting);
            circuit.ok().unwrap()
        }
    }

    fn code<R>(reply: Result<R, CallError>) -> Option<Code> {
        match reply {
            Err(CallError::Refused(fault)) => Some(fault.code()),
            _ => None,
        }
    }

    #[tokio::test]
    async fn visitors_have_an_allowance_by_where_they_come_from() {
        let mut service = Fixture::new().await;
        let fetch = || FetchContactRequest { account: vec![1; 16].into(), ..FetchContactRequest::default() };
        let mut visits = 0;
        let refused = loop {
            let reply = service.circuit::<Visitor>([192, 0, 2, 1]).await.visit(fetch()).await;
            if code(reply) == Some(Code::Exhausted) {
                break visits;
            }
            visits += 1;
            assert!(visits < 1_000);
        };
        assert!(refused > 10);
        let elsewhere = service.circuit::<Visitor>([192, 0, 2, 2]).await.visit(fetch()).await;
        // He is heard, and has brought nothing to pay with.
        assert!(code(elsewhere) == Some(Code::Token));
    }

    #[tokio::test]
    async fn registrations_have_one_too_and_other_requests_have_none() {
        let mut service = Fixture::new().await;
        let circuit = service.circuit::<Account>([192, 0, 2, 1]).await;
        let mut codes = Vec::new();
        for _ in 0..12 {
            codes.push(code(circuit.call(RegisterRequest::default()).await));
        }
        assert!(codes.first() == Some(&Some(Code::Malformed)) && codes.last() == Some(&Some(Code::Exhausted)));
        let inbox = circuit.call(undertone_wire::account::ReadInboxRequest::default()).await;
        assert!(code(inbox) == Some(Code::Unauthenticated));
    }

    #[tokio::test]
    async fn circuits_are_counted_while_they_are_open() {
        let mut service = Fixture::new().await;
        let circuit = service.circuit::<Account>([192, 0, 2, 1]).await;
        assert_eq!(service.circuits.open(), OpenCircuits { account: 1, visitor: 0, channel: 0, blob: 0, directory: 0 });
        service.drain.send_replace(true);
        circuit.closed().await;
        drop(circuit);
        while service.circuits.open().account > 0 {
            tokio::task::yield_now().await;
        }
    }
}
