//! Member entries.

use super::*;
use crate::CredentialError;

#[test]
fn entries() {
    let (group, other) = (group(1), self::group(2));
    let [[M1, M2], [other_M1, other_M2]] = [ANA, FRANK].map(|account| attributes::of_account(&account));
    let (a1, a2) = (group.a1, group.a2);
    let ana = group.encrypt(&ANA).as_bytes().to_vec();
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = ana.clone();
        change(&mut bytes);
        bytes
    };
    let of = |E_A1: RistrettoPoint, M2: RistrettoPoint| encoded(&[E_A1, a2 * E_A1 + M2]);
    let cases = [
        ("as it should be", hex(ANA.as_bytes()), ana.clone()),
        ("as it should be, of another account", hex(FRANK.as_bytes()), group.encrypt(&FRANK).as_bytes().to_vec()),
        ("of another group", "void".into(), other.encrypt(&ANA).as_bytes().to_vec()),
        ("decodes to the account, but is recognised as another", "void".into(), of(a1 * other_M1, M2)),
        ("is recognised as the account, but decodes to another", "void".into(), of(a1 * M1, other_M2)),
        ("E_A1 is not encrypted", "void".into(), of(M1, M2)),
        ("the account's points are exchanged", "void".into(), of(a1 * M2, M1)),
        ("E_A1 is shifted by G_y1", "void".into(), of(a1 * M1 + system::SYSTEM.G_y1, M2)),
        ("decodes to nobody", "void".into(), of(a1 * M1, M1)),
        ("its halves are exchanged", "void".into(), with(|bytes| bytes.rotate_left(32))),
        ("E_A1 is the identity", "malformed".into(), with(|bytes| bytes[..32].fill(0))),
        ("E_A2 is the identity", "malformed".into(), with(|bytes| bytes[32..].fill(0))),
        ("E_A1 is no point", "malformed".into(), with(|bytes| bytes[..32].copy_from_slice(&NO_POINT))),
        ("E_A2 has its highest bit set", "malformed".into(), with(|bytes| bytes[63] |= 0x80)),
        ("E_A2 is not reduced", "malformed".into(), with(|bytes| bytes[32..].copy_from_slice(&not_reduced()))),
        ("a byte short", "malformed".into(), with(|bytes| bytes.truncate(63))),
        ("a byte long", "malformed".into(), with(|bytes| bytes.push(0))),
        ("nothing", "malformed".into(), Vec::new()),
    ];
    let cases = cases.map(|(why, expect, entry)| vec![("why", why.into()), ("expect", expect), ("entry", hex(&entry))]);
    let about = "Entries under the master key 0101...01: the account that each stands for; void, if it stands for nobody;\n\
                 malformed, if it is refused before anybody decrypts it.";
    for case in frozen("anonymous-entries.txt", about, &cases) {
        let judged = match MemberEntry::try_from(&bytes(&case, "entry")[..]) {
            Err(error) => {
                assert!(error == CredentialError::Element);
                "malformed".into()
            }
            Ok(entry) => group.decrypt(&entry).map_or("void".into(), |account| hex(account.as_bytes())),
        };
        assert_eq!(judged, case["expect"], "{}", case["why"]);
    }
}
