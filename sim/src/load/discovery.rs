//! Contact discovery: the whole way of one address book of 1,000 through a base, half of it there, each half on one core; and
//! beside it the two ways that were not taken.

use std::{num::NonZeroUsize, time::Duration};

use anyhow::Context as _;
use rand_chacha::ChaCha20Rng;
use undertone_credentials::voprf::{Blinded, Element, SecretKey, SecretScalar, Voprf};
use undertone_discovery::{Base, Change, Delta, DiscoverySecret, Members, Query, Question};
use undertone_wire::AccountId;

use super::{Bench, Section, Unit, best::best, grouped, ms};
use crate::usage;

const CONTACTS: u32 = 1_000;
/// The evaluations that so many are padded to.
const PADDED: u32 = 1_600;
const RUNS: u32 = 4;
const ONE: NonZeroUsize = NonZeroUsize::MIN;
/// Bytes of an entry of a plain table: an identifier's and an account's hash.
const ENTRY_BYTES: u64 = 24;

/// Everything, for each size of a directory.
pub fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new("discovery");
    for contacts in [CONTACTS, PADDED] {
        evaluations(contacts, &mut bench.rng, &mut section)?;
    }
    for &entries in bench.sizes.directories {
        let mut add = |name: &str, what: &str, value: f64, unit| {
            section.add(
                &format!("{name}_{entries}"),
                format!("{} entries: {what}", grouped(entries.into())),
                value,
                unit,
            );
        };
        directory(entries, &mut bench.rng, &mut add)?;
    }
    Ok(section)
}

/// Evaluations of a first sync.
fn evaluations(contacts: u32, rng: &mut ChaCha20Rng, section: &mut Section) -> anyhow::Result<()> {
    let key = SecretKey::<Voprf>::derive(&[1; 32], b"discovery")?;
    let inputs: Vec<_> = (0..contacts).map(|contact| contact.to_be_bytes().to_vec()).collect();
    let blind = || {
        let blinds = inputs.iter().map(|input| (input.clone(), SecretScalar::random(rng)));
        Ok(Blinded::<Voprf>::new(blinds)?)
    };
    let (blinded, took) = best(RUNS, blind)?;
    let mut add = |name: &str, what: &str, took| {
        let what = format!("{} identifiers: {what}", grouped(contacts.into()));
        section.add(&format!("{name}_{contacts}_ms"), what, ms(took), Unit::Ms);
    };
    add("blind", "client: blind them", took);
    let sent: Vec<_> = blinded.elements().iter().map(|element| *element.as_bytes()).collect();
    let evaluate = || {
        let elements = sent.iter().map(|bytes| Element::try_from(&bytes[..])).collect::<Result<Vec<_>, _>>()?;
        Ok(key.blind_evaluate(&elements, rng)?)
    };
    let ((evaluated, proof), took) = best(RUNS, evaluate)?;
    add("evaluate", "service: evaluate them, with one proof", took);
    let (_, took) = best(RUNS, || Ok(blinded.unblind(&key.public(), &evaluated, &proof)?))?;
    add("unblind", "client: check, and unblind them", took);
    Ok(())
}

fn directory(entries: u32, rng: &mut ChaCha20Rng, add: &mut impl FnMut(&str, &str, f64, Unit)) -> anyhow::Result<()> {
    let (base, took) = best(1, || build(entries))?;
    add("build_ms", "service: make the base, CPU", ms(took), Unit::Ms);
    add("rss_mib", "service: memory with it", usage::rss_kib(std::process::id())? as f64 / 1024.0, Unit::Mib);
    let header = base.header();
    let lengths = [header.download_len(), header.query_len(), header.answer_len()].map(|bytes| bytes as f64 / 1024.0);
    let [download, query, answer] = lengths;
    add("first_kib", "bytes both ways, first question", download + query + answer, Unit::Kib);
    add("again_kib", "bytes both ways, the next to the same base", query + answer, Unit::Kib);

    let contacts: Vec<_> = (0..CONTACTS).map(|contact| secret(entries - CONTACTS / 2 + contact)).collect();
    let ((question, query), took) = best(1, || Ok(Question::new(header, &contacts, rng)?))?;
    add("ask_ms", "client: ask", ms(took), Unit::Ms);
    let (read, took) = best(RUNS, || Ok(Query::from_bytes(header, &query)?))?;
    add("read_ms", "service: read the question", ms(took), Unit::Ms);
    let mut answers = Vec::new();
    for (count, name, what) in
        [(1, "answer_ms", "service: answer it"), (8, "answer_8_ms", "service: answer 8 at once, each")]
    {
        let queries = vec![&read; count];
        let (given, took) = best(RUNS, || Ok(base.answer(&queries, 0..header.rows())?))?;
        add(name, what, ms(took) / count as f64, Unit::Ms);
        answers = given;
    }
    let answer = answers.first().context("no answer")?;
    let mut question = Some(question);
    let finish = || Ok(question.take().context("asked once")?.finish(base.download(), answer)?);
    let (found, took) = best(1, finish)?;
    add("finish_ms", "client: read the answer", ms(took), Unit::Ms);
    let here = (0..CONTACTS).map(|contact| (contact < CONTACTS / 2).then(|| account(entries - CONTACTS / 2 + contact)));
    anyhow::ensure!(found.into_iter().eq(here), "others were found than are there");
    drop(base);

    let changed: Vec<_> = (0..entries / 200).map(|person| (secret(person), Change::Added(account(person)))).collect();
    let (delta, took) = best(1, || Ok(Delta::build(7, &changed, &[1; 32])?))?;
    add("delta_ms", "service: a day's delta, half a percent of them", ms(took), Unit::Ms);
    add("delta_kib", "its bytes", delta.len() as f64 / 1024.0, Unit::Kib);
    let find = || {
        let delta = Delta::from_bytes(&delta)?;
        Ok(contacts.iter().filter(|one| delta.find(one).is_some()).count())
    };
    add("find_ms", "client: look in it for 1,000", ms(best(RUNS, find)?.1), Unit::Ms);

    add(
        "table_kib",
        "instead: everybody takes the table",
        (u64::from(entries) * ENTRY_BYTES) as f64 / 1024.0,
        Unit::Kib,
    );
    let (columns, took) = simple_pir(entries)?;
    add("simple_ms", "instead: SimplePIR, service, for each contact", ms(took), Unit::Ms);
    add("simple_kib", "the same, bytes both ways", (8 * columns) as f64 / 1024.0, Unit::Kib);
    Ok(())
}

fn build(entries: u32) -> anyhow::Result<Base> {
    let mut members = Members::new(1);
    let all: Vec<_> = (0..entries).collect();
    for page in all.chunks(100_000) {
        let page: Vec<_> = page.iter().map(|person| (secret(*person), account(*person))).collect();
        members.add(&page, ONE);
    }
    Ok(Base::build(members, 0, &[1; 32], ONE)?)
}

/// As SimplePIR does it: for each contact, a matrix of bytes as large as the table, times a vector. Its side, and the time.
fn simple_pir(entries: u32) -> anyhow::Result<(usize, Duration)> {
    let columns = (entries as usize * 22).isqrt();
    let (matrix, vector) = (vec![7u8; columns * columns], vec![9u32; columns]);
    let entry =
        |row: &[u8]| row.iter().zip(&vector).fold(0u32, |sum, (a, b)| sum.wrapping_add(b.wrapping_mul((*a).into())));
    let (_, took) = best(RUNS, || Ok(matrix.chunks_exact(columns).map(entry).collect::<Vec<_>>()))?;
    Ok((columns, took))
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
