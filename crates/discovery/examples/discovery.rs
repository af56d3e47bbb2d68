//! What contact discovery costs, on one core, by the CPU time that the system counts for it: the whole way of one address
//! book of 1,000 through a base, half of it there; and beside it the two ways that were not taken.
//!
//! ```text
//! cargo run --release -p undertone-discovery --example discovery -- 1000000
//! ```

use std::{
    error::Error,
    fs,
    hint::black_box,
    io::{self, Write as _},
    num::NonZeroUsize,
    time::Instant,
};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use rustix::time::{ClockId, clock_gettime};
use undertone_credentials::voprf::{Blinded, Element, SecretKey, SecretScalar, Voprf};
use undertone_discovery::{Base, Change, Delta, DiscoverySecret, Members, Query, Question};
use undertone_wire::AccountId;

const CONTACTS: u32 = 1_000;
const RUNS: usize = 8;
const ONE: NonZeroUsize = NonZeroUsize::MIN;

fn main() -> Result<(), Box<dyn Error>> {
    let entries: u32 = std::env::args().nth(1).ok_or("how many entries?")?.parse()?;
    let changes = entries / 200;
    evaluation(CONTACTS)?;
    evaluation(1_600)?;

    let base = build(entries)?;
    let header = base.header();
    say("memory: most, with the members", format!("{} MB", memory("VmHWM")?))?;
    say("memory: base alone", format!("{} MB", memory("VmRSS")?))?;
    say("rows of an answer", header.rows())?;
    say("bytes: download, once a base", header.download_len())?;
    say("bytes: query / answer", format!("{} / {}", header.query_len(), header.answer_len()))?;
    let bytes = header.download_len() + header.query_len() + header.answer_len();
    say("bytes: both ways, first / again", format!("{} / {}", bytes, bytes - header.download_len()))?;

    let contacts: Vec<_> = (0..CONTACTS).map(|contact| secret(entries - CONTACTS / 2 + contact)).collect();
    let rng = &mut ChaCha20Rng::from_seed([2; 32]);
    let (question, query) = measure("client: ask", 1, || Question::new(header, &contacts, rng))??;
    let read = measure("service: read a query", RUNS, || Query::from_bytes(header, &query))??;
    let mut answers = Vec::new();
    for count in [1, 2, 4, 8] {
        let queries = vec![&read; count];
        let what = format!("service: answer {count} at once");
        answers = measure(&what, RUNS, || base.answer(&queries, 0..header.rows()))??;
    }
    let answer = answers.first().ok_or("no answer")?;
    let mut question = Some(question);
    let read = || question.take().map(|question| question.finish(base.download(), answer));
    let found = measure("client: read the answer", 1, read)?.ok_or("asked once")??;
    let expected =
        (0..CONTACTS).map(|contact| (contact < CONTACTS / 2).then(|| account(entries - CONTACTS / 2 + contact)));
    if !found.into_iter().eq(expected) {
        return Err("others were found than are there".into());
    }
    let (question, query) = Question::new(header, contacts.get(..1).unwrap_or_default(), rng)?;
    let single = || Ok::<_, Box<dyn Error>>(base.answer(&[&Query::from_bytes(header, &query)?], 0..header.rows())?);
    let answer = measure("service: a single lookup, all of it", RUNS, single)??;
    question.finish(base.download(), answer.first().ok_or("no answer")?)?;
    drop(base);

    bandwidth(memory("VmHWM")?)?;
    let changed: Vec<_> = (0..changes).map(|person| (secret(person), Change::Added(account(person)))).collect();
    let delta = measure("service: a delta of half a percent", 1, || Delta::build(7, &changed, &[1; 32]))??;
    say("bytes: such a delta", delta.len())?;
    let find =
        || Delta::from_bytes(&delta).map(|delta| contacts.iter().filter(|one| delta.find(one).is_some()).count());
    measure("client: look for 1,000 in it", RUNS, find)??;

    say("bytes: a table instead", u64::from(entries) * 24)?;
    simple(entries)
}

/// Evaluations of a first sync, without those that come of padding.
fn evaluation(contacts: u32) -> Result<(), Box<dyn Error>> {
    let rng = &mut ChaCha20Rng::from_seed([1; 32]);
    let key = SecretKey::<Voprf>::derive(&[1; 32], b"discovery")?;
    let inputs: Vec<_> = (0..contacts).map(|contact| contact.to_be_bytes().to_vec()).collect();
    let mut blind = || Blinded::<Voprf>::new(inputs.iter().map(|input| (input.clone(), SecretScalar::random(rng))));
    let blinded = measure(&format!("client: blind {contacts}"), RUNS, &mut blind)??;
    let rng = &mut ChaCha20Rng::from_seed([2; 32]);
    let sent: Vec<_> = blinded.elements().iter().map(|element| *element.as_bytes()).collect();
    let evaluate = || -> Result<_, Box<dyn Error>> {
        let elements: Vec<_> = sent.iter().map(|bytes| Element::try_from(&bytes[..])).collect::<Result<_, _>>()?;
        Ok(key.blind_evaluate(&elements, rng)?)
    };
    let (evaluated, proof) = measure(&format!("service: evaluate {contacts}, with a proof"), RUNS, evaluate)??;
    let unblind = || blinded.unblind(&key.public(), &evaluated, &proof);
    measure(&format!("client: check, and unblind {contacts}"), RUNS, unblind)??;
    Ok(())
}

fn build(entries: u32) -> Result<Base, Box<dyn Error>> {
    let started = Instant::now();
    let base = measure("service: build the base", 1, || {
        let mut members = Members::new(1);
        let all: Vec<_> = (0..entries).collect();
        for page in all.chunks(100_000) {
            let page: Vec<_> = page.iter().map(|person| (secret(*person), account(*person))).collect();
            members.add(&page, ONE);
        }
        Base::build(members, 0, &[1; 32], ONE)
    })??;
    say("  by the clock", format!("{:.1} s", started.elapsed().as_secs_f64()))?;
    Ok(base)
}

/// The least time in which so many megabytes are read once, in order.
fn bandwidth(megabytes: u64) -> Result<(), Box<dyn Error>> {
    let memory = vec![1u64; usize::try_from(megabytes.min(2_000))? << 17];
    let gigabytes = memory.len() as f64 * 8e-9;
    let sum = || {
        let mut sums = [0u64; 32];
        memory
            .as_chunks::<32>()
            .0
            .iter()
            .for_each(|chunk| sums.iter_mut().zip(chunk).for_each(|(sum, word)| *sum |= word));
        sums
    };
    let best = best(RUNS, sum)?.1;
    say("reading memory, a second", format!("{:.1} GB", gigabytes / best))
}

/// As SimplePIR does it: for each contact, a matrix of bytes as large as the table, times a vector.
fn simple(entries: u32) -> Result<(), Box<dyn Error>> {
    let bytes = entries as usize * 22;
    let columns = bytes.isqrt();
    let (matrix, vector) = (vec![7u8; columns * columns], vec![9u32; columns]);
    let product = || -> Vec<u32> {
        let row = |row: &[u8]| {
            row.iter().zip(&vector).fold(0u32, |sum, (a, b)| sum.wrapping_add(b.wrapping_mul((*a).into())))
        };
        matrix.chunks_exact(columns).map(row).collect()
    };
    measure("SimplePIR: one contact", RUNS, product)?;
    say("SimplePIR: bytes both ways, a contact / hint", format!("{} / {}", 8 * columns, 4 * 1_024 * columns))
}

fn secret(person: u32) -> DiscoverySecret {
    let mut bytes = [5; 32];
    bytes.iter_mut().zip(person.to_be_bytes()).for_each(|(to, from)| *to = from);
    DiscoverySecret::new(bytes)
}

fn account(person: u32) -> AccountId {
    let mut bytes = [6; AccountId::LEN];
    bytes.iter_mut().zip(person.to_be_bytes()).for_each(|(to, from)| *to = from);
    AccountId::new(bytes)
}

/// The best of some runs, since other work may disturb; what the last gave.
fn measure<T>(what: &str, runs: usize, act: impl FnMut() -> T) -> Result<T, Box<dyn Error>> {
    let (result, seconds) = best(runs, act)?;
    say(what, format!("{:.1} ms", seconds * 1e3))?;
    Ok(result)
}

fn best<T>(runs: usize, mut act: impl FnMut() -> T) -> Result<(T, f64), Box<dyn Error>> {
    let mut best = f64::MAX;
    let mut last = None;
    for _ in 0..runs {
        let started = cpu_seconds();
        last = Some(black_box(act()));
        best = best.min(cpu_seconds() - started);
    }
    Ok((last.ok_or("nothing was measured")?, best))
}

/// What this thread has had of a processor.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Megabytes of this process.
fn memory(what: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(what)).ok_or("not Linux")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap_or_default().parse()?;
    Ok(kilobytes / 1_024)
}

fn say(what: &str, figure: impl std::fmt::Display) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{what:<46}{figure:>22}")?;
    Ok(())
}
