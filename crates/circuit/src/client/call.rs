//! One request, from its turn to its answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use undertone_wire::{
    Message, limits,
    rpc::{Call, Method, Subscribe},
};

use super::{
    Shared, Subscription,
    driver::{Ask, Command},
    subscription::{Sink, sink},
};
use crate::{CallError, link::BODY_BYTES_MAX};

pub(super) async fn call<R: Call>(shared: &Arc<Shared>, request: &R) -> Result<R::Reply, CallError> {
    let (body, mut asked) = ask(shared, request, None).await?;
    asked.settle();
    R::Reply::decode(body).map_err(|_| CallError::Malformed)
}

pub(super) async fn subscribe<R: Subscribe>(
    shared: &Arc<Shared>,
    request: &R,
) -> Result<Subscription<R::Push>, CallError> {
    let (sink, pushes) = sink();
    let (_, asked) = ask(shared, request, Some(sink)).await?;
    Ok(Subscription::new(pushes, asked))
}

/// Has a request sent when it is its turn, and waits for the answer.
async fn ask<R: Method>(shared: &Shared, request: &R, pushes: Option<Sink>) -> Result<(Bytes, Asked), CallError> {
    if request.encoded_len() > BODY_BYTES_MAX {
        return Err(CallError::TooLong);
    }
    let deadline = Instant::now() + Duration::from_millis(limits::CALL_MS.into());
    let Ok(Ok(_turn)) = timeout_at(deadline, shared.turns.acquire()).await else {
        return Err(CallError::NotSent);
    };
    let id = shared.last_id.fetch_add(1, Ordering::Relaxed).checked_add(1).ok_or(CallError::NotSent)?;
    let (answer, answered) = oneshot::channel();
    let claim = Claim::default();
    // From here on, dropping this future withdraws the request.
    let mut asked = Asked { id, claim: claim.clone(), commands: shared.commands.clone(), withdrawn: false };
    let request = Ask { id, claim, method: R::NUMBER, body: request.encode_to_vec().into(), deadline, answer, pushes };
    // A circuit that has ended drops it, and so the answer's sender.
    let _ = shared.commands.send(Command::Ask(request));
    match timeout_at(deadline, answered).await {
        Ok(Ok(Ok(body))) => Ok((body, asked)),
        Ok(Ok(Err(fault))) => {
            asked.settle();
            Err(CallError::Refused(fault))
        }
        Ok(Err(_)) | Err(_) => Err(asked.withdraw()),
    }
}

/// Whoever claims a request first, decides: the circuit's task to send it, or the caller to withdraw it unsent.
#[derive(Clone, Default)]
pub(super) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Whether we are the first.
    pub(super) fn is_ours(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// A request that may have been sent. Dropped, it is cancelled.
pub(super) struct Asked {
    id: u32,
    claim: Claim,
    commands: mpsc::UnboundedSender<Command>,
    withdrawn: bool,
}

impl Asked {
    /// Nothing is left to cancel.
    fn settle(&mut self) {
        self.withdrawn = true;
    }

    /// Gives up, and tells what that means.
    fn withdraw(&mut self) -> CallError {
        self.settle();
        if self.claim.is_ours() {
            return CallError::NotSent;
        }
        let _ = self.commands.send(Command::Cancel(self.id));
        CallError::Unknown
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.withdrawn {
            self.withdraw();
        }
    }
}
