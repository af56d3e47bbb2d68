//! One directory circuit: nobody, who looks somebody up.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use undertone_store::Accounts;
use undertone_wire::{
    Now,
    circuit::{Code, Fault},
    directory::{
        BeginQueryReply, BeginQueryRequest, DirectoryHandler, EvaluateReply, EvaluateRequest, FetchAnswerPartReply,
        FetchAnswerPartRequest, FetchPartReply, FetchPartRequest, PutQueryPartReply, PutQueryPartRequest,
        ReadDirectoryReply, ReadDirectoryRequest,
    },
    limits::EVALUATIONS,
};

use super::{
    DirectoryPlane,
    queries::{Held, part_of},
};
use crate::{
    fault,
    request::{ensure, parse},
};

/// Answers one directory circuit.
pub struct DirectorySession<A> {
    plane: Arc<DirectoryPlane<A>>,
    /// The query that it has begun.
    held: Mutex<Option<Arc<Held>>>,
}

impl<A: Accounts> DirectorySession<A> {
    pub(super) fn new(plane: Arc<DirectoryPlane<A>>) -> Self {
        Self { plane, held: Mutex::default() }
    }

    fn held(&self) -> Result<Arc<Held>, Fault> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(|| Code::Forbidden.into())
    }
}

impl<A: Accounts> DirectoryHandler for DirectorySession<A> {
    async fn read_directory(&self, _: Now, _: ReadDirectoryRequest) -> Result<ReadDirectoryReply, Fault> {
        let published = self.plane.current()?;
        let signature = Bytes::copy_from_slice(&published.signature);
        Ok(ReadDirectoryReply { head: published.head.clone(), signature })
    }

    async fn evaluate(&self, now: Now, request: EvaluateRequest) -> Result<EvaluateReply, Fault> {
        ensure(EVALUATIONS.contains(&request.elements.len()))?;
        ensure(request.elements.iter().all(|element| element.len() == 32))?;
        let accounts = &self.plane.accounts;
        let issuer = accounts.issuer().clone();
        issuer.take(now, accounts.store(), &request).await?;
        let evaluated = self.plane.compute(move || issuer.evaluate(&request.elements)).await.map_err(fault::store)?;
        let evaluated = evaluated.map_err(fault::object)?;
        Ok(EvaluateReply {
            elements: evaluated.evaluated.iter().map(|element| Bytes::copy_from_slice(element)).collect(),
            proof: Bytes::copy_from_slice(&evaluated.proof),
        })
    }

    async fn begin_query(&self, now: Now, request: BeginQueryRequest) -> Result<BeginQueryReply, Fault> {
        let published = self.plane.current()?;
        if parse::<[u8; 32]>(&request.head_hash)? != published.hash || published.base.header().rows() == 0 {
            return Err(Code::NotFound.into());
        }
        if self.held().is_ok() {
            return Err(Code::Forbidden.into());
        }
        // Room first: who finds none has paid nothing.
        let held = Arc::new(self.plane.queries.hold(published, now)?);
        let accounts = &self.plane.accounts;
        let paid = accounts.issuer().take(now, accounts.store(), &request).await?;
        if paid.again {
            // Or one token would have the whole base read again and again.
            return Err(fault::price(1));
        }
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(BeginQueryReply {})
    }

    async fn put_query_part(&self, _: Now, request: PutQueryPartRequest) -> Result<PutQueryPartReply, Fault> {
        self.held()?.put(request.part, &request.bytes)?;
        Ok(PutQueryPartReply {})
    }

    async fn fetch_answer_part(&self, _: Now, request: FetchAnswerPartRequest) -> Result<FetchAnswerPartReply, Fault> {
        Ok(FetchAnswerPartReply { bytes: self.held()?.fetch(request.part).await? })
    }

    async fn fetch_part(&self, _: Now, request: FetchPartRequest) -> Result<FetchPartReply, Fault> {
        let published = self.plane.current()?;
        let whole = published.parts.get(&parse::<[u8; 32]>(&request.hash)?).ok_or(Code::NotFound)?;
        Ok(FetchPartReply { bytes: part_of(whole, request.part)? })
    }
}
