//! What is issued.

use super::*;

#[test]
fn issued() {
    let key = key();
    let good = key.issue(ANA, TODAY, &mut rng(1));
    let other = key.issue(ANA, TODAY, &mut rng(2));
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let marked = |change: fn(&mut CredentialKey)| {
        let mut key = self::key();
        change(&mut key);
        key.W = system::SYSTEM.G_w * key.w;
        key.issue(ANA, TODAY, &mut rng(1))
    };
    let foreign = CredentialKey::from_seed(&[8; 32]).issue(ANA, TODAY, &mut rng(1));
    let unproven = marked(|key| key.x1 += Scalar::ONE);
    let mut cases = vec![
        ("as it should be", ANA, TODAY, good.clone()),
        ("as it should be, for the first day of all", FRANK, Day(0), key.issue(FRANK, Day(0), &mut rng(1))),
        ("for another account", FRANK, TODAY, good.clone()),
        ("for the day before", ANA, TODAY + 1, good.clone()),
        ("with another key", ANA, TODAY, foreign.clone()),
        ("w is another", ANA, TODAY, marked(|key| key.w += Scalar::ONE)),
        ("w' is another", ANA, TODAY, marked(|key| key.w_prime += Scalar::ONE)),
        ("x0 is another", ANA, TODAY, marked(|key| key.x0 += Scalar::ONE)),
        ("x1 is another", ANA, TODAY, unproven.clone()),
        ("y1 is another", ANA, TODAY, marked(|key| key.y1 += Scalar::ONE)),
        ("y2 is another", ANA, TODAY, marked(|key| key.y2 += Scalar::ONE)),
        ("y3 is another", ANA, TODAY, marked(|key| key.y3 += Scalar::ONE)),
        ("x1 is another, and the proof is of a good one", ANA, TODAY, [&unproven[..96], &good[96..]].concat()),
        ("t is of another credential", ANA, TODAY, with(&|bytes| bytes[..32].copy_from_slice(&other[..32]))),
        ("U is of another credential", ANA, TODAY, with(&|bytes| bytes[32..64].copy_from_slice(&other[32..64]))),
        ("V is of another credential", ANA, TODAY, with(&|bytes| bytes[64..96].copy_from_slice(&other[64..96]))),
        ("the proof is of another credential", ANA, TODAY, with(&|bytes| bytes[96..].copy_from_slice(&other[96..]))),
        ("U and V are exchanged", ANA, TODAY, with(&|bytes| bytes[32..96].rotate_left(32))),
        ("U is the identity", ANA, TODAY, with(&|bytes| bytes[32..64].fill(0))),
        ("V is the identity", ANA, TODAY, with(&|bytes| bytes[64..96].fill(0))),
        ("U is no point", ANA, TODAY, with(&|bytes| bytes[32..64].copy_from_slice(&NO_POINT))),
        ("t is not reduced", ANA, TODAY, with(&|bytes| unreduced(&mut bytes[..32], false))),
        ("the first response is not reduced", ANA, TODAY, with(&|bytes| unreduced(&mut bytes[192..224], true))),
        ("the proof is all zeros", ANA, TODAY, with(&|bytes| bytes[96..].fill(0))),
        ("a byte short", ANA, TODAY, with(&|bytes| bytes.truncate(415))),
        ("a byte long", ANA, TODAY, with(&|bytes| bytes.push(0))),
        ("without a proof", ANA, TODAY, with(&|bytes| bytes.truncate(96))),
        ("nothing", ANA, TODAY, Vec::new()),
    ];
    let cases: Vec<_> = cases
        .drain(..)
        .map(|(why, account, day, issued)| {
            let expect = if why.starts_with("as it should be") { "received" } else { "refused" };
            let (account, day) = (hex(account.as_bytes()), day.0.to_string());
            vec![
                ("why", why.into()),
                ("expect", expect.into()),
                ("account", account),
                ("day", day),
                ("issued", hex(&issued)),
            ]
        })
        .collect();
    let about =
        "What is issued under the key of the seed 0707...07, and whether a client takes it for this account and day.";
    for case in frozen("anonymous-issued.txt", about, &cases) {
        let received = Credential::receive(key.public(), account(&case), day(&case), &bytes(&case, "issued"));
        assert_eq!(if received.is_ok() { "received" } else { "refused" }, case["expect"], "{}", case["why"]);
    }
}
