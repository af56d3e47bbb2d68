//! One lookup: what goes over which circuit, in which order.
//!
//! Our account asks for tokens on a circuit of its own, where it says who it is and nothing of whom it looks for. All else
//! goes over directory circuits, on which nobody says who he is. What is sent there, how much and in which order, follows
//! from the number of identifiers and from what the service has for everybody.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use undertone_circuit::{CallError, Circuit};
use undertone_credentials::VerifiedParameters;
use undertone_discovery::{CONTACTS_MAX, DiscoveryError, DiscoverySecret, Question, find_in_table};
use undertone_wire::{
    AccountId,
    circuit::{Code, Fault},
    directory::{
        BeginQueryRequest, Directory, FetchAnswerPartRequest, FetchPartRequest, PutQueryPartRequest,
        ReadDirectoryRequest,
    },
    limits::LOOKUP_PART_BYTES,
    objects::Purpose,
    paid::Paid as _,
};

use super::LookupStep;
use crate::{
    ClientError, Result,
    db::{
        directory::{self as book, Known},
        tokens as stock,
    },
    own::Own,
    rules::{
        discovery::{self, Batch, Head},
        lookups, parameters,
    },
    shared::Shared,
};

/// Times that it is begun again, since something newer is published, or tokens had to be fetched first.
const VISITS_MAX: u32 = 4;
/// Times that something is paid for anew, where the service takes none of what was given.
const PRICES_MAX: u32 = 3;
/// Times that room for a query is asked for.
const ROOM_TRIES: u32 = 40;
/// No service is waited for longer at once.
const WAIT_MS_MAX: u32 = 30_000;

pub(super) struct Lookup<'a> {
    shared: &'a Shared,
    own: &'a Own,
    step: &'a watch::Sender<LookupStep>,
}

/// Why a directory circuit did not come to its end.
enum Stop {
    /// Something newer is published.
    Moved,
    Failed(ClientError),
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Lookup<'a> {
    pub(super) fn new(shared: &'a Shared, own: &'a Own, step: &'a watch::Sender<LookupStep>) -> Self {
        Self { shared, own, step }
    }

    /// Everything that is to be done, and can be paid for.
    pub(super) async fn run(&self) -> Result<()> {
        let mut paid = false;
        if self.is_short()? {
            self.fetch_lookups().await?;
            paid = true;
        }
        let mut outcome = Err(ClientError::Busy);
        for _ in 0..VISITS_MAX {
            outcome = match self.visit().await {
                Ok(()) => return Ok(()),
                Err(Stop::Moved) => Err(ClientError::Busy),
                Err(Stop::Failed(ClientError::LookupsUsedUp)) if !paid => {
                    paid = true;
                    self.fetch_lookups().await?;
                    Err(ClientError::LookupsUsedUp)
                }
                Err(Stop::Failed(error)) => return Err(error),
            };
        }
        outcome
    }

    /// Whether it is known beforehand that tokens will be lacking.
    fn is_short(&self) -> Result<bool> {
        self.shared.write_quietly(|tx| {
            // A home that has not seen any parameters yet sees them with the first circuit.
            let Some((list, _)) = parameters::issuing(tx)? else { return Ok(false) };
            let new = discovery::unevaluated(tx, &list)?;
            let begun = !book::evaluations(tx.db)?.is_empty();
            let evaluations = if begun { 0 } else { discovery::price(new) };
            let short = lookups::left(tx, Purpose::Evaluation)? < evaluations;
            Ok(new > 0 && (short || lookups::left(tx, Purpose::Query)? == 0))
        })
    }

    /// Has lookups issued to our account, as far as there are any. Then a while passes.
    async fn fetch_lookups(&self) -> Result<()> {
        if self.shared.write_quietly(|tx| lookups::are_put_off(tx))? {
            return Ok(());
        }
        self.tell(LookupStep::Paying);
        let circuit = self.shared.authenticated(self.own).await?;
        let (request, wishes) = self.shared.write_quietly(lookups::request)?;
        match circuit.call(request).await {
            Ok(reply) => self.shared.write_quietly(|tx| lookups::issued(tx, &wishes, &reply))?,
            Err(CallError::Refused(fault)) => match fault.code() {
                Code::Exhausted => {
                    return self.shared.write_quietly(|tx| lookups::put_off(tx, fault.retry_after_ms.into()));
                }
                Code::Unsupported => return Err(ClientError::NoDirectory),
                Code::Forbidden => return Err(ClientError::Refused("this account is given no lookups")),
                code => return Err(ClientError::refused(code)),
            },
            Err(error) => return Err(error.into()),
        }
        drop(circuit);
        let wait_ms = self.shared.draw_ms(&self.shared.pace.after_tokens);
        self.tell(LookupStep::Waiting(wait_ms.div_ceil(1_000)));
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        Ok(())
    }

    /// One directory circuit, and more where more is asked than fits into one query.
    async fn visit(&self) -> Result<(), Stop> {
        let (circuit, list) = self.connect().await?;
        let head = self.head(&circuit, &list).await?;
        let evaluated = self.evaluate(&circuit, &list).await;
        if let Err(ClientError::LookupsUsedUp) | Ok(()) = &evaluated {
            self.catch_up(&circuit, &list, &head).await?;
            let asked = self.shared.write_quietly(|tx| discovery::to_ask(tx, &list, &head))?;
            self.ask(circuit, &head, &asked).await?;
            let kept: Vec<_> = head.deltas.iter().map(|delta| delta.hash).chain([*head.base.download_hash()]).collect();
            self.shared.write(|tx| Ok(book::keep_only(tx.db, &kept)?))?;
        }
        Ok(evaluated?)
    }

    async fn connect(&self) -> Result<(Circuit<Directory>, Arc<VerifiedParameters>)> {
        let has_none = self
            .shared
            .write_quietly(|tx| Ok(parameters::issuing(tx)?.is_some_and(|(list, _)| list.directory_key().is_none())))?;
        // What it shows may be of before it had one.
        let circuit = match self.shared.connect::<Directory>(&self.own.link).await {
            Err(_) if has_none => return Err(ClientError::NoDirectory),
            circuit => circuit?,
        };
        let shown = self.shared.write_quietly(|tx| parameters::issuing(tx))?;
        let (list, _) = shown.filter(|(list, _)| list.directory_key().is_some()).ok_or(ClientError::NoDirectory)?;
        Ok((circuit, list))
    }

    async fn head(&self, circuit: &Circuit<Directory>, list: &VerifiedParameters) -> Result<Head> {
        let reply = circuit.call(ReadDirectoryRequest {}).await.map_err(refused)?;
        Head::check(list, &reply)
    }

    /// Has everything evaluated that was not yet.
    async fn evaluate(&self, circuit: &Circuit<Directory>, list: &VerifiedParameters) -> Result<()> {
        let key = list.directory_key().ok_or(ClientError::NoDirectory)?;
        let of = self.shared.write_quietly(|tx| discovery::unevaluated(tx, list))?;
        let mut done = 0;
        while let Some(inputs) = self.shared.write_quietly(|tx| discovery::next_inputs(tx, key))? {
            self.tell(LookupStep::Evaluating(done, of));
            let mut batch = Batch::new(inputs)?;
            let reply = self.pay_for(circuit, &mut batch).await?;
            let secrets = batch.open(key, &reply)?;
            self.shared.write_quietly(|tx| batch.keep(tx, key, &secrets))?;
            done += batch.identifiers();
            self.tell(LookupStep::Evaluating(done.min(of), of));
        }
        Ok(())
    }

    async fn pay_for(
        &self,
        circuit: &Circuit<Directory>,
        batch: &mut Batch,
    ) -> Result<undertone_wire::directory::EvaluateReply> {
        for _ in 0..PRICES_MAX {
            self.shared.write_quietly(|tx| batch.pay(tx))?;
            match circuit.call(batch.request.clone()).await {
                Err(CallError::Refused(fault)) if fault.code() == Code::Token => {
                    self.shared.write_quietly(|tx| batch.unpaid(tx))?;
                }
                answer => return answer.map_err(refused),
            }
        }
        Err(ClientError::refused(Code::Token))
    }

    /// Downloads what has changed, and takes it in.
    async fn catch_up(&self, circuit: &Circuit<Directory>, list: &VerifiedParameters, head: &Head) -> Result<(), Stop> {
        for delta in &head.deltas {
            self.download(circuit, &delta.hash, delta.bytes).await?;
        }
        Ok(self.shared.write(|tx| discovery::catch_up(tx, list, head))?)
    }

    /// Downloads what is the same for everybody, as far as it is not here, and holds it against its hash.
    async fn download(&self, circuit: &Circuit<Directory>, hash: &[u8; 32], bytes: usize) -> Result<(), Stop> {
        let parts = discovery::parts_of(bytes);
        let held = self.shared.read(|db| Ok(book::parts(db, hash)?))?;
        if held >= parts && parts > 0 {
            return Ok(());
        }
        for part in held..parts {
            let done = (part as usize).saturating_mul(LOOKUP_PART_BYTES);
            self.tell(LookupStep::Downloading(done, bytes));
            let request = FetchPartRequest { hash: Bytes::copy_from_slice(hash), part };
            let reply = circuit.call(request).await.map_err(moved)?;
            if reply.bytes.len() != bytes.saturating_sub(done).min(LOOKUP_PART_BYTES) {
                return Err(ClientError::Directory("what was downloaded has another length than was signed").into());
            }
            self.shared.write_quietly(|tx| Ok(book::put_part(tx.db, hash, part, &reply.bytes)?))?;
        }
        self.tell(LookupStep::Downloading(bytes, bytes));
        let whole = self.shared.read(|db| Ok(book::whole(db, hash)?))?;
        if Sha256::digest(&whole)[..] != hash[..] {
            self.shared.write_quietly(|tx| Ok(book::forget_whole(tx.db, hash)?))?;
            return Err(ClientError::Directory("what was downloaded is not what was signed").into());
        }
        Ok(())
    }

    /// Asks who they are: in the table that everybody has, or by queries, each on a circuit of its own.
    async fn ask(&self, circuit: Circuit<Directory>, head: &Head, asked: &[Known]) -> Result<(), Stop> {
        if asked.is_empty() {
            return Ok(());
        }
        self.download(&circuit, head.base.download_hash(), head.base.download_len()).await?;
        let download = self.shared.read(|db| Ok(book::whole(db, head.base.download_hash())?))?;
        if head.base.rows() == 0 {
            let found = find_in_table(&head.base, &download, &secrets(asked)).map_err(believed)?;
            return Ok(self.shared.write(|tx| discovery::answered(tx, head, asked, &found))?);
        }
        let mut circuit = Some(circuit);
        for asked in asked.chunks(CONTACTS_MAX) {
            let circuit = match circuit.take() {
                Some(circuit) => circuit,
                None => self.connect().await?.0,
            };
            let found = self.query(&circuit, head, asked, &download).await?;
            self.shared.write(|tx| discovery::answered(tx, head, asked, &found))?;
        }
        Ok(())
    }

    /// One query: its question, and the answer.
    async fn query(
        &self,
        circuit: &Circuit<Directory>,
        head: &Head,
        asked: &[Known],
        download: &[u8],
    ) -> Result<Vec<Option<AccountId>>, Stop> {
        self.begin_query(circuit, head).await?;
        let (question, query) = self
            .shared
            .write_quietly(|tx| Question::new(&head.base, &secrets(asked), &mut tx.rng).map_err(believed))?;
        let of = query.len() + head.base.answer_len();
        let mut done = 0;
        for (part, bytes) in (0..).zip(query.chunks(LOOKUP_PART_BYTES)) {
            self.tell(LookupStep::Asking(done, of));
            let request = PutQueryPartRequest { part, bytes: Bytes::copy_from_slice(bytes) };
            circuit.call(request).await.map_err(moved)?;
            done += bytes.len();
        }
        let mut answer = Vec::with_capacity(head.base.answer_len());
        for part in 0..discovery::parts_of(head.base.answer_len()) {
            self.tell(LookupStep::Asking(done + answer.len(), of));
            let reply = circuit.call(FetchAnswerPartRequest { part }).await.map_err(moved)?;
            answer.extend_from_slice(&reply.bytes);
        }
        self.tell(LookupStep::Asking(of, of));
        Ok(question.finish(download, &answer).map_err(believed)?)
    }

    /// Makes room for a query. Each time that it is tried costs a token, but for a service that is full.
    async fn begin_query(&self, circuit: &Circuit<Directory>, head: &Head) -> Result<(), Stop> {
        let mut request = BeginQueryRequest { head_hash: Bytes::copy_from_slice(&head.hash), tokens: Vec::new() };
        let act = request.spent_on();
        let mut prices = 0;
        for _ in 0..ROOM_TRIES {
            request.tokens = self.shared.write_quietly(|tx| discovery::send(tx, Purpose::Query, &act, 1))?;
            let fault = match circuit.call(request.clone()).await {
                Err(CallError::Refused(fault)) => fault,
                answer => {
                    // Nobody knows whether it was spent: it is not shown again.
                    self.shared.write_quietly(|tx| Ok(stock::forget(tx.db, &act)?))?;
                    answer.map_err(refused)?;
                    return Ok(());
                }
            };
            if fault.code() == Code::Exhausted {
                self.wait_for_room(fault).await;
                continue;
            }
            self.shared.write_quietly(|tx| Ok(stock::forget(tx.db, &act)?))?;
            prices += 1;
            if fault.code() != Code::Token || prices == PRICES_MAX {
                return Err(moved(CallError::Refused(fault)));
            }
        }
        self.shared.write_quietly(|tx| Ok(stock::forget(tx.db, &act)?))?;
        Err(ClientError::Busy.into())
    }

    async fn wait_for_room(&self, fault: Fault) {
        self.tell(LookupStep::Queued);
        let wait_ms = fault.retry_after_ms.clamp(1, WAIT_MS_MAX);
        tokio::time::sleep(Duration::from_millis(wait_ms.into())).await;
    }

    fn tell(&self, step: LookupStep) {
        self.step.send_replace(step);
    }
}

fn secrets(known: &[Known]) -> Vec<DiscoverySecret> {
    known.iter().map(|known| known.secret.clone()).collect()
}

fn refused(error: CallError) -> ClientError {
    match error {
        CallError::Refused(fault) if fault.code() == Code::Unsupported => ClientError::NoDirectory,
        error => error.into(),
    }
}

/// What is not there any more was replaced.
fn moved(error: CallError) -> Stop {
    match error {
        CallError::Refused(fault) if fault.code() == Code::NotFound => Stop::Moved,
        error => Stop::Failed(refused(error)),
    }
}

/// What the service says does not fit what it signed, or what was asked.
fn believed(error: DiscoveryError) -> ClientError {
    match error {
        DiscoveryError::Answer => ClientError::Directory("its answer is wrong"),
        DiscoveryError::Length => ClientError::Directory("its answer has another length than was signed"),
        DiscoveryError::Download => ClientError::Directory("what was downloaded is not what was signed"),
        DiscoveryError::Newer => ClientError::UpdateNeeded,
        _ => ClientError::Directory("what it says makes no sense"),
    }
}
