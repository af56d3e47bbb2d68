//! Bytes for whoever knows their id.

use std::sync::Arc;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_credentials::IssuingKey;
use undertone_service::{BlobPlane, BlobSession, Issuer};
use undertone_store::memory::MemoryBlobs;
use undertone_wire::{
    Now,
    blob::{BeginBlobRequest, BlobHandler, FetchPartRequest, PutPartRequest},
    circuit::Fault,
    limits::{BLOB_BYTES_A_TOKEN, BLOB_BYTES_MAX, BLOB_DAYS_MAX, BLOB_PART_BYTES, BLOB_TOKENS_MAX},
    objects::{Purpose, Token},
    padding,
};

use crate::people::{ISSUING, NOW, TODAY, code, issuer, tokens};

const DAY_MS: u64 = 86_400_000;
/// Two parts, the second of which is shorter in no blob.
const BYTES: u64 = 2 * BLOB_PART_BYTES as u64;

struct Shelf(Arc<BlobPlane<MemoryBlobs>>);

impl Shelf {
    fn new() -> Self {
        Self::of(1 << 30)
    }

    fn of(bytes_max: u64) -> Self {
        Self(Arc::new(BlobPlane::new(MemoryBlobs::default(), Arc::new(issuer()), bytes_max)))
    }

    fn circuit(&self) -> BlobSession<MemoryBlobs> {
        self.0.session()
    }

    async fn begun(&self, id: u8) -> BlobSession<MemoryBlobs> {
        let circuit = self.circuit();
        assert_eq!(circuit.begin_blob(NOW, begin(id, BYTES)).await.unwrap().parts, 0);
        circuit
    }

    async fn fetched(&self, id: u8, number: u32) -> Result<u8, Fault> {
        let reply = self.circuit().fetch_part(NOW, fetch(id, number)).await?;
        assert!(reply.bytes.iter().all(|byte| *byte == reply.bytes[0]));
        Ok(reply.bytes[0])
    }
}

fn paid(count: usize, seed: u64) -> Vec<Token> {
    if count == 0 { Vec::new() } else { tokens(ISSUING, Purpose::Blob, TODAY.week(), count, seed) }
}

fn begin(id: u8, bytes: u64) -> BeginBlobRequest {
    let price = bytes.div_ceil(BLOB_BYTES_A_TOKEN) as usize;
    let tokens = paid(price, id.into());
    BeginBlobRequest { blob: vec![id; 16].into(), bytes, expiry_day: TODAY.0 + 30, tokens }
}

fn put(id: u8, part: u32, byte: u8) -> PutPartRequest {
    PutPartRequest { blob: vec![id; 16].into(), part, bytes: vec![byte; BLOB_PART_BYTES].into() }
}

fn fetch(id: u8, part: u32) -> FetchPartRequest {
    FetchPartRequest { blob: vec![id; 16].into(), part }
}

#[tokio::test]
async fn who_knows_the_id_gets_the_bytes() {
    let shelf = Shelf::new();
    let circuit = shelf.begun(1).await;
    for (part, byte) in [(0, 7), (1, 8)] {
        circuit.put_part(NOW, put(1, part, byte)).await.unwrap();
        assert_eq!(shelf.fetched(1, part).await.unwrap(), byte);
    }
    assert_eq!(code(shelf.fetched(1, 2).await), "NOT_FOUND");
    assert_eq!(code(shelf.fetched(2, 0).await), "NOT_FOUND");
}

#[tokio::test]
async fn what_was_cut_off_goes_on_where_it_was() {
    let shelf = Shelf::new();
    shelf.begun(1).await.put_part(NOW, put(1, 0, 7)).await.unwrap();
    let circuit = shelf.circuit();
    assert_eq!(circuit.begin_blob(NOW, begin(1, BYTES)).await.unwrap().parts, 1);
    circuit.put_part(NOW, put(1, 0, 7)).await.unwrap();
    assert_eq!(code(circuit.put_part(NOW, put(1, 0, 8)).await), "CONFLICT");
    circuit.put_part(NOW, put(1, 1, 8)).await.unwrap();
    assert_eq!(circuit.begin_blob(NOW, begin(1, BYTES)).await.unwrap().parts, 2);
}

#[tokio::test]
async fn a_circuit_carries_one_blob() {
    let shelf = Shelf::new();
    shelf.begun(2).await;
    let circuit = shelf.begun(1).await;
    assert_eq!(code(circuit.put_part(NOW, put(2, 0, 7)).await), "FORBIDDEN");
    assert_eq!(code(circuit.fetch_part(NOW, fetch(2, 0)).await), "FORBIDDEN");
    assert_eq!(code(circuit.begin_blob(NOW, begin(3, BYTES)).await), "FORBIDDEN");
    circuit.put_part(NOW, put(1, 0, 7)).await.unwrap();
}

#[tokio::test]
async fn a_blob_has_its_form() {
    let shelf = Shelf::new();
    for (bytes, taken) in [(0, false), (1, false), (100, false), (16 << 10, true), ((16 << 10) + 1, false)] {
        let reply = shelf.circuit().begin_blob(NOW, BeginBlobRequest { bytes, ..begin(1, 16 << 10) }).await;
        assert_eq!(code(reply), if taken { "OK" } else { "MALFORMED" }, "{bytes}");
    }
    for bytes in [BLOB_BYTES_MAX + BLOB_PART_BYTES as u64, u64::MAX] {
        let tokens = paid(BLOB_TOKENS_MAX, 9);
        let reply = shelf.circuit().begin_blob(NOW, BeginBlobRequest { bytes, tokens, ..begin(2, BYTES) }).await;
        assert_eq!(code(reply), "MALFORMED");
    }
    for (days, taken) in [(BLOB_DAYS_MAX, true), (BLOB_DAYS_MAX + 2, false)] {
        let request = BeginBlobRequest { expiry_day: TODAY.0 + days, ..begin(3, BYTES) };
        assert_eq!(code(shelf.circuit().begin_blob(NOW, request).await), if taken { "OK" } else { "MALFORMED" });
    }
    let circuit = shelf.begun(4).await;
    for request in [
        PutPartRequest { bytes: vec![7; BLOB_PART_BYTES - 1].into(), ..put(4, 0, 7) },
        PutPartRequest { bytes: Default::default(), ..put(4, 0, 7) },
        put(4, 1, 7),
        put(4, 2, 7),
        put(4, u32::MAX, 7),
        PutPartRequest { blob: vec![4; 15].into(), ..put(4, 0, 7) },
    ] {
        assert_eq!(code(circuit.put_part(NOW, request).await), "MALFORMED");
    }
    assert_eq!(code(shelf.circuit().put_part(NOW, put(5, 0, 7)).await), "NOT_FOUND");
}

#[tokio::test]
async fn the_larger_the_dearer() {
    let shelf = Shelf::new();
    for (id, bytes, price) in
        [(1, 16 << 10, 1), (2, BLOB_BYTES_A_TOKEN, 1), (3, 5 << 20, 2), (4, BLOB_BYTES_MAX, BLOB_TOKENS_MAX)]
    {
        assert_eq!(padding::blob_bytes(bytes), Some(bytes));
        for (tokens, taken) in [(price - 1, false), (price, true)] {
            let request = BeginBlobRequest { tokens: paid(tokens, id.into()), ..begin(id, bytes) };
            let reply = shelf.circuit().begin_blob(NOW, request).await;
            let asked = reply.as_ref().err().map(|fault| fault.tokens as usize);
            assert_eq!((code(reply), asked), if taken { ("OK", None) } else { ("TOKEN", Some(price)) });
        }
    }
    let many = BeginBlobRequest { tokens: paid(5, 99), ..begin(5, BYTES) };
    assert_eq!(code(shelf.circuit().begin_blob(NOW, many).await), "MALFORMED");
    let other = BeginBlobRequest { tokens: paid(1, 1), ..begin(6, BYTES) };
    assert_eq!(code(shelf.circuit().begin_blob(NOW, other).await), "TOKEN", "spent on another");
    let inbox = tokens(ISSUING, Purpose::Inbox, TODAY.week(), 1, 3);
    let wrong = BeginBlobRequest { tokens: inbox, ..begin(7, BYTES) };
    assert_eq!(code(shelf.circuit().begin_blob(NOW, wrong).await), "TOKEN", "issued for something else");
}

#[tokio::test]
async fn all_have_so_much_room_together_and_get_it_back() {
    let shelf = Shelf::of(2 * BYTES);
    shelf.begun(1).await;
    shelf.begun(2).await;
    assert_eq!(code(shelf.circuit().begin_blob(NOW, begin(3, BYTES)).await), "EXHAUSTED");
    let later = Now(NOW.0 + 31 * DAY_MS);
    assert_eq!(code(shelf.circuit().fetch_part(later, fetch(1, 0)).await), "NOT_FOUND");
    shelf.0.expire(later).await.unwrap();
    assert_eq!(shelf.0.counts().await.unwrap().blobs, 0);
    let tokens = tokens(ISSUING, Purpose::Blob, later.day().week(), 1, 3);
    let again = BeginBlobRequest { expiry_day: later.day().0, tokens, ..begin(3, BYTES) };
    assert_eq!(shelf.circuit().begin_blob(later, again).await.unwrap().parts, 0);
    assert_eq!(shelf.0.tokens_spent(later.day().week()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_id_that_is_taken_stays_so() {
    let shelf = Shelf::new();
    shelf.begun(1).await;
    let other = BeginBlobRequest { tokens: paid(1, 77), ..begin(1, 3 * BLOB_PART_BYTES as u64) };
    assert_eq!(code(shelf.circuit().begin_blob(NOW, other).await), "CONFLICT");
    let forged = Issuer::new(IssuingKey::from_seed(&[1; 32]), ChaCha20Rng::from_seed([5; 32]));
    let elsewhere = Arc::new(BlobPlane::new(MemoryBlobs::default(), Arc::new(forged), 1 << 30));
    assert_eq!(code(elsewhere.session().begin_blob(NOW, begin(1, BYTES)).await), "TOKEN");
}
