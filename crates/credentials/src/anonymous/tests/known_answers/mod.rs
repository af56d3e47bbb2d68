//! Known answers: `tests/vectors/anonymous-*.txt`. Each file is made anew and compared byte for byte, and then judged from
//! what it says. Every case says why it is as it is; what is refused is refused with one error, whatever is wrong.

mod entries;
mod issued;
mod keys;
mod presentations;

use std::{collections::BTreeMap, fs, path::Path};

use curve25519_dalek::{RistrettoPoint, Scalar};

use super::*;
use crate::voprf::Element;

/// A point that is none: negative, and so not canonical.
const NO_POINT: [u8; 32] = [0xff; 32];

/// Fields by name, their values in hexadecimal or in words.
type Case = Vec<(&'static str, String)>;

/// What the file says, if it says what the cases say.
fn frozen(name: &str, about: &str, cases: &[Case]) -> Vec<BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    let block = |case: &Case| case.iter().map(|(name, value)| format!("{name} = {value}\n")).collect::<String>();
    let made = cases
        .iter()
        .map(block)
        .fold(format!("# {}\n", about.replace('\n', "\n# ")), |text, block| text + "\n" + &block);
    if std::env::var_os("UNDERTONE_FREEZE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let text = fs::read_to_string(path).unwrap();
    assert!(text == made, "{name} says something else");
    let fields = |block: &str| block.lines().filter_map(|line| line.split_once(" = ")).map(owned).collect();
    text.split("\n\n").skip(1).map(fields).collect()
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn bytes(case: &BTreeMap<String, String>, name: &str) -> Vec<u8> {
    HEXLOWER.decode(case[name].as_bytes()).unwrap()
}

fn account(case: &BTreeMap<String, String>) -> AccountId {
    AccountId::from_hex(&case["account"]).unwrap()
}

fn day(case: &BTreeMap<String, String>) -> Day {
    Day(case["day"].parse().unwrap())
}

fn encoded(points: &[RistrettoPoint]) -> Vec<u8> {
    points.iter().flat_map(|point| point.compress().to_bytes()).collect()
}

/// The order of the group plus a scalar: the same number modulo the order, in bytes that are not canonical.
fn unreduced(bytes: &mut [u8], big_endian: bool) {
    let order = (-Scalar::ONE).to_bytes();
    let mut carry = 1u16;
    for (at, order) in (0..32).zip(order) {
        let at = if big_endian { 31 - at } else { at };
        carry += u16::from(bytes[at]) + u16::from(order);
        bytes[at] = carry.to_le_bytes()[0];
        carry >>= 8;
    }
}

/// The field's prime plus 4: the encoding of a point for whoever reduces what he reads.
fn not_reduced() -> [u8; 32] {
    let mut reduced = [0; 32];
    reduced[0] = 4;
    assert!(Element::try_from(&reduced[..]).is_ok());
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xf1, 0x7f);
    bytes
}
