//! Typed calls: which request goes on which kind of circuit, and what answers it.
//!
//! The schema's `service` definitions become implementations of these traits (`build.rs`). A request message names its
//! service, so a circuit of another kind does not take it: that is a compile error, not a check.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use prost::Message;

use crate::{
    Now,
    circuit::{Code, Fault, Kind},
};

/// A `service` of the schema, carried by one kind of circuit.
pub trait Service: Send + Sync + 'static {
    /// What Hello says.
    const KIND: Kind;
    /// Names of the methods; a method's number is its place, from 1.
    const METHODS: &'static [&'static str];
}

/// A request message.
pub trait Method: Message + Default + Send + 'static {
    /// The only service that knows it.
    type Service: Service;
    /// Its method number.
    const NUMBER: u32;
}

/// A request with one reply.
pub trait Call: Method {
    /// What answers it.
    type Reply: Message + Default;
}

/// A request with many pushes.
pub trait Subscribe: Method {
    /// Each of them.
    type Push: Message + Default;
}

/// What a handler did with a request.
pub enum Answer {
    /// The encoded reply.
    Reply(Bytes),
    /// Pushes may come until the circuit ends or the client cancels.
    Open,
}

/// Answers encoded requests of a service; implemented for every handler of it.
pub trait Dispatch<S: Service>: Send + Sync {
    /// Decodes request `method`, has it answered, encodes the reply.
    fn dispatch(
        &self,
        now: Now,
        method: u32,
        body: Bytes,
        pushes: OpenPushes,
    ) -> impl Future<Output = Result<Answer, Fault>> + Send;
}

/// Where a circuit takes pushes. It must never block: what does not fit is dropped and, once there is room, told by
/// one *empty* push to the same subscription, upon which the client reads from its cursor.
pub trait PushQueue: Send + Sync {
    /// Queues one encoded push for subscription `id`. False once nobody listens any more.
    fn push(&self, id: u32, body: Bytes) -> bool;
}

/// The pushes of one request, before their type is known.
pub struct OpenPushes {
    queue: Arc<dyn PushQueue>,
    id: u32,
}

impl OpenPushes {
    /// Pushes of request `id` on the circuit that owns `queue`.
    pub fn new(queue: Arc<dyn PushQueue>, id: u32) -> Self {
        Self { queue, id }
    }

    /// With the type that the schema gives them.
    pub fn typed<P: Message>(self) -> Pushes<P> {
        Pushes { open: self, item: PhantomData }
    }
}

/// The pushes of one subscription. Cheap to keep: an idle one has no task and no buffer.
pub struct Pushes<P> {
    open: OpenPushes,
    item: PhantomData<fn(P)>,
}

impl<P: Message> Pushes<P> {
    /// Queues one item, encoded beforehand so that all subscribers share its bytes. False once nobody listens.
    pub fn send(&self, item: &Encoded<P>) -> bool {
        self.open.queue.push(self.open.id, item.bytes.clone())
    }
}

/// A message encoded once for many.
pub struct Encoded<P> {
    bytes: Bytes,
    item: PhantomData<fn(P)>,
}

impl<P: Message> Encoded<P> {
    /// Encodes it.
    pub fn new(item: &P) -> Self {
        Self { bytes: item.encode_to_vec().into(), item: PhantomData }
    }
}

/// Decodes a request body; for generated code.
pub(crate) fn decode<M: Message + Default>(body: Bytes) -> Result<M, Fault> {
    M::decode(body).map_err(|_| Code::Malformed.into())
}

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        Self { code: code.into(), ..Self::default() }
    }
}

impl Fault {
    /// The same fault with a time after which to come back.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u32) -> Self {
        self.retry_after_ms = ms;
        self
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (retry after {} ms)", self.code().as_str_name(), self.retry_after_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account, blob, channel, directory, visitor};

    /// Method numbers are places, so this list only ever grows at its ends.
    #[test]
    fn methods_keep_their_numbers() {
        assert_eq!(
            account::Account::METHODS,
            [
                "Register",
                "Authenticate",
                "PutDeviceList",
                "PutInboxKey",
                "PutKeyPackages",
                "ReadInbox",
                "ClearInbox",
                "ReadVault",
                "PutVault",
                "Recover",
                "DeleteAccount",
                "IssueTokens",
                "ReadProfile",
                "PutProfile",
                "Publish",
                "IssueCredentials",
                "IssueLookups",
                "SendCode",
                "PutListing",
                "RemoveListing"
            ]
        );
        assert_eq!(visitor::Visitor::METHODS, ["FetchContact", "Deliver", "CreateChannel", "FetchProfile"]);
        assert_eq!(
            channel::Channel::METHODS,
            [
                "Open",
                "Append",
                "Read",
                "Follow",
                "Resume",
                "SendTransient",
                "ChangeGroup",
                "Present",
                "ReadRecord",
                "ReadHeadSlot",
                "ReserveCommit"
            ]
        );
        assert_eq!(blob::Blob::METHODS, ["BeginBlob", "PutPart", "FetchPart"]);
        assert_eq!(
            directory::Directory::METHODS,
            ["ReadDirectory", "Evaluate", "BeginQuery", "PutQueryPart", "FetchAnswerPart", "FetchPart"]
        );
        assert_eq!(channel::FollowRequest::NUMBER, 4);
    }
}
