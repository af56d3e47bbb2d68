//! Blobs: put for tokens, and fetched by whoever knows of them; each on a circuit of its own, as nobody.

use bytes::Bytes;
use undertone_circuit::{CallError, Circuit};
use undertone_wire::{
    Day,
    blob::{BeginBlobRequest, Blob, FetchPartRequest, PutPartRequest},
    circuit::Code,
    large::Large,
    limits::{BLOB_PART_BYTES, BLOB_TOKENS_MAX},
    link::Link,
    paid::Paid as _,
};

use crate::{Result, db::tokens as stock, shared::Shared};

impl Shared {
    /// Puts something large, up to its day. Where it was broken off it goes on.
    ///
    /// # Errors
    /// [`ClientError::NoTokens`](crate::ClientError::NoTokens) before anything was said; why there is no circuit; what the
    /// service refuses.
    pub(crate) async fn put_blob(&self, link: &Link, large: &Large, bytes: &[u8], expiry_day: Day) -> Result<()> {
        let (blob, tokens) = (Bytes::from(large.blob()), Vec::new());
        let begin = BeginBlobRequest { blob, bytes: large.bytes(), expiry_day: expiry_day.0, tokens };
        let act = begin.spent_on();
        let ask = async |circuit: Circuit<Blob>, begin| {
            let begun = circuit.call(begin).await?;
            Ok((circuit, begun))
        };
        let (circuit, begun) = self.pay_first(link, begin, BLOB_TOKENS_MAX, ask).await??;
        put_parts(&circuit, large, bytes, begun.parts).await?;
        self.write_quietly(|tx| Ok(stock::forget(tx.db, &act)?))
    }

    /// Fetches what a reference stands for. None: it is not there, or is something else.
    ///
    /// # Errors
    /// When the service is not reached, or may give it another time.
    pub(crate) async fn fetch_blob(&self, link: &Link, large: &Large) -> Result<Option<Vec<u8>>> {
        let circuit = self.connect::<Blob>(link).await?;
        let mut bytes = Vec::new();
        for part in 0.. {
            if bytes.len() as u64 >= large.bytes() {
                break;
            }
            match circuit.call(FetchPartRequest { blob: large.blob().into(), part }).await {
                Ok(reply) if reply.bytes.is_empty() => return Ok(None),
                Ok(reply) => bytes.extend_from_slice(&reply.bytes),
                Err(CallError::Refused(fault)) if !may_be_had(fault.code()) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(large.is_of(&bytes).then_some(bytes))
    }
}

/// Whether what was refused may be had another time.
fn may_be_had(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::Unknown | Code::Unspecified | Code::Exhausted)
}

async fn put_parts(circuit: &Circuit<Blob>, large: &Large, bytes: &[u8], from: u32) -> Result<()> {
    let parts = (0..).zip(bytes.chunks(BLOB_PART_BYTES));
    for (part, bytes) in parts.skip_while(|(part, _)| *part < from) {
        let bytes = Bytes::copy_from_slice(bytes);
        circuit.call(PutPartRequest { blob: large.blob().into(), part, bytes }).await?;
    }
    Ok(())
}
