//! Contact discovery: what clients download, what the service is asked, what it answers.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use sha2::{Digest as _, Sha256};
use undertone_discovery::{Change, Delta, DiscoverySecret, Header, Members, Query, Question};
use undertone_wire::AccountId;

use crate::Target;

pub const HEADERS: Target = Target { name: "base-headers", run: headers, seeds: some_headers, cost: 1 };
pub const DELTAS: Target = Target { name: "deltas", run: deltas, seeds: some_deltas, cost: 1 };
pub const MEMBERS: Target = Target { name: "base-members", run: members, seeds: some_members, cost: 1 };
pub const QUERIES: Target = Target { name: "contact-queries", run: queries, seeds: some_queries, cost: 100 };
pub const ANSWERS: Target = Target { name: "contact-answers", run: answers, seeds: some_answers, cost: 400 };

const SECRET: DiscoverySecret = DiscoverySecret::new([1; 32]);
/// One row of one column.
const SHAPE: [u8; 18] = [1, 0, 0, 0, 7, 0, 0, 0, 6, 0, 0, 0, 32, 0, 1, 0, 1, 2];

/// The header of a small base, whose download is this.
fn header(download: &[u8]) -> Option<Header> {
    Header::from_bytes(&[&SHAPE[..], &[5; 8], &Sha256::digest(download)].concat()).ok()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([1; 32])
}

fn headers(data: &[u8]) {
    if let Ok(header) = Header::from_bytes(data) {
        assert!(header.to_bytes() == data, "a header has two forms");
        assert!(header.answer_len() < 1 << 30 && header.query_len() < 1 << 30, "a question without bounds");
    }
}

fn some_headers() -> Option<Vec<Vec<u8>>> {
    Some(vec![header(&[])?.to_bytes()])
}

fn deltas(data: &[u8]) {
    if let Ok(delta) = Delta::from_bytes(data) {
        let _ = delta.find(&SECRET);
    }
}

fn some_deltas() -> Option<Vec<Vec<u8>>> {
    let changes = [(SECRET, Change::Removed), (DiscoverySecret::new([2; 32]), Change::Added(AccountId::new([3; 16])))];
    Some(vec![Delta::build(7, &changes, &[4; 32]).ok()?])
}

fn members(data: &[u8]) {
    if let Ok(members) = Members::from_bytes(data) {
        assert!(members.to_bytes() == data, "members have two forms");
    }
}

fn some_members() -> Option<Vec<Vec<u8>>> {
    let mut members = Members::new(7);
    members.add(&[(SECRET, AccountId::new([3; 16]))], std::num::NonZeroUsize::MIN);
    Some(vec![members.to_bytes()])
}

fn queries(data: &[u8]) {
    let Some(header) = header(&[]) else { return };
    let read = Query::from_bytes(&header, data);
    assert!(read.is_ok() == (data.len() == header.query_len()), "a query of another length");
}

fn some_queries() -> Option<Vec<Vec<u8>>> {
    Some(vec![Question::new(&header(&[])?, &[SECRET], &mut rng()).ok()?.1])
}

/// A download and an answer, as a service may make them up: nobody is found in what is not for him.
fn answers(data: &[u8]) {
    let Some(length) = header(&[]).map(|header| header.download_len()) else { return };
    let (download, answer) = data.split_at(data.len().min(length));
    let question = header(download).and_then(|header| Question::new(&header, &[SECRET], &mut rng()).ok());
    if let Some((question, _)) = question {
        assert!(question.finish(download, answer).is_err(), "an answer that nobody gave is believed");
    }
}

fn some_answers() -> Option<Vec<Vec<u8>>> {
    let header = header(&[])?;
    Some(vec![vec![1; header.download_len() + header.answer_len()]])
}
