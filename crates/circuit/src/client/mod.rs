//! The client's end of circuits.

mod call;
mod connect;
mod driver;
mod subscription;

use std::{
    marker::PhantomData,
    sync::{Arc, atomic::AtomicU32},
};

use tokio::sync::{Semaphore, mpsc, watch};
use undertone_wire::{
    HandshakeHash,
    account::Account,
    blob::Blob,
    channel::Channel,
    circuit::{HelloReply, Parameters, SignedParameters},
    directory::Directory,
    rpc::{Call, Service, Subscribe},
    visitor::Visitor,
};

use crate::{CallError, Ending, ServicePublicKeys};
use driver::Command;
pub use subscription::{Event, Subscription};

/// A circuit of kind `S` to one service. It closes when it, its clones and its subscriptions are gone.
///
/// What a kind does not carry does not compile. A request of the channel plane goes on a channel circuit:
/// ```
/// # use undertone_circuit::*; use undertone_wire::{account, channel};
/// async fn read(circuit: Circuit<channel::Channel>) -> Result<channel::ReadReply, CallError> {
///     circuit.call(channel::ReadRequest::default()).await
/// }
/// ```
/// but one of the account plane does not:
/// ```compile_fail,E0271
/// # use undertone_circuit::*; use undertone_wire::{account, channel};
/// async fn read(circuit: Circuit<channel::Channel>) -> Result<account::ReadInboxReply, CallError> {
///     circuit.call(account::ReadInboxRequest::default()).await
/// }
/// ```
/// A visitor asks once:
/// ```
/// # use undertone_circuit::*; use undertone_wire::visitor;
/// async fn visit(circuit: Circuit<visitor::Visitor>) {
///     let _ = circuit.visit(visitor::FetchContactRequest::default()).await;
/// }
/// ```
/// and not twice, neither on the same circuit nor on a copy of it:
/// ```compile_fail,E0382
/// # use undertone_circuit::*; use undertone_wire::visitor;
/// async fn visit(circuit: Circuit<visitor::Visitor>) {
///     let _ = circuit.visit(visitor::FetchContactRequest::default()).await;
///     let _ = circuit.visit(visitor::FetchContactRequest::default()).await;
/// }
/// ```
/// ```compile_fail,E0308
/// # use undertone_circuit::*; use undertone_wire::visitor;
/// fn copy(circuit: &Circuit<visitor::Visitor>) -> Circuit<visitor::Visitor> {
///     circuit.clone()
/// }
/// ```
/// ```compile_fail,E0599
/// # use undertone_circuit::*; use undertone_wire::visitor;
/// async fn call(circuit: Circuit<visitor::Visitor>) {
///     let _ = circuit.call(visitor::FetchContactRequest::default()).await;
/// }
/// ```
pub struct Circuit<S: Service> {
    shared: Arc<Shared>,
    kind: PhantomData<fn() -> S>,
}

struct Shared {
    commands: mpsc::UnboundedSender<Command>,
    /// One permit for each request under way: it bounds `commands` too.
    turns: Semaphore,
    last_id: AtomicU32,
    ending: watch::Receiver<Option<Ending>>,
    handshake_hash: HandshakeHash,
    service_keys: ServicePublicKeys,
    hello: HelloReply,
    parameters: Parameters,
    signed_parameters: SignedParameters,
}

/// Kinds of circuits that carry more than one request.
pub trait Reusable: Service + sealed::Sealed {}

impl Reusable for Account {}
impl Reusable for Blob {}
impl Reusable for Channel {}
impl Reusable for Directory {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Account {}
    impl Sealed for super::Blob {}
    impl Sealed for super::Channel {}
    impl Sealed for super::Directory {}
}

impl<S: Reusable> Clone for Circuit<S> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.shared))
    }
}

impl<S: Reusable> Circuit<S> {
    /// Sends a request and waits for its reply, at most [`CALL_MS`](undertone_wire::limits::CALL_MS). Dropped before
    /// that, it is cancelled: the service may have applied it or not.
    ///
    /// # Errors
    /// [`CallError`] tells whether the request may have been applied.
    pub async fn call<R: Call<Service = S>>(&self, request: R) -> Result<R::Reply, CallError> {
        call::call(&self.shared, &request).await
    }

    /// Subscribes, and returns once the service has said that the subscription stands: what happens from then on is
    /// pushed.
    ///
    /// # Errors
    /// As for [`Circuit::call`].
    pub async fn subscribe<R: Subscribe<Service = S>>(&self, request: R) -> Result<Subscription<R::Push>, CallError> {
        call::subscribe(&self.shared, &request).await
    }
}

impl Circuit<Visitor> {
    /// Asks the one question of a visitor, and closes the circuit.
    ///
    /// # Errors
    /// As for [`Circuit::call`].
    pub async fn visit<R: Call<Service = Visitor>>(self, request: R) -> Result<R::Reply, CallError> {
        call::call(&self.shared, &request).await
    }
}

impl<S: Service> Circuit<S> {
    fn of(shared: Arc<Shared>) -> Self {
        Self { shared, kind: PhantomData }
    }

    /// What signatures on this circuit are bound to.
    pub fn handshake_hash(&self) -> HandshakeHash {
        self.shared.handshake_hash
    }

    /// The public parameters that the service showed here, as it signed them: nothing of them was checked.
    pub fn signed_parameters(&self) -> &SignedParameters {
        &self.shared.signed_parameters
    }

    /// Those of them that release 0.1 knew, as they stand beside.
    pub fn parameters(&self) -> &Parameters {
        &self.shared.parameters
    }

    /// All that the service said in its Hello: the version spoken, common features, an announced cut-off.
    pub fn hello(&self) -> &HelloReply {
        &self.shared.hello
    }

    /// The service's keys, which hash to the pin; worth keeping, for they save a round trip.
    pub fn service_keys(&self) -> &ServicePublicKeys {
        &self.shared.service_keys
    }

    /// Waits until this circuit takes no more requests, and says why. What is under way then may still be answered.
    pub async fn closed(&self) -> Ending {
        let mut ending = self.shared.ending.clone();
        let ended = ending.wait_for(Option::is_some).await;
        ended.ok().and_then(|ending| *ending).unwrap_or(Ending::Lost)
    }
}
