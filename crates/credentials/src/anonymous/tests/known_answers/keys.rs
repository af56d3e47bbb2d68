//! What follows from seeds, and what is kept.

use super::*;

#[test]
fn keys_and_groups() {
    let (key, group) = (key(), group(1));
    let case = vec![
        ("why", "what follows from the seed, and from the master key".into()),
        ("seed", hex(&[7; 32])),
        ("public", hex(key.public().as_bytes())),
        ("master", hex(&[1; 32])),
        ("group", hex(group.public().as_bytes())),
        ("title", hex(&*group.subkey("title"))),
        ("kept", hex(&credential(ANA, TODAY).to_bytes())),
    ];
    let about = "Keys: `seed` gives what everybody knows the service by, `master` gives the group and its subkey for the label \
                 \"title\".\n`kept` is a credential of account a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 and day 20779 as it is stored.";
    let [case] = &frozen("anonymous-keys.txt", about, &[case])[..] else { unreachable!("one case") };
    let seed = bytes(case, "seed").try_into().unwrap();
    assert!(CredentialKey::from_seed(&seed).public().as_bytes()[..] == bytes(case, "public"));
    let group = GroupMasterKey::from_bytes(&bytes(case, "master").try_into().unwrap()).secret();
    assert!(group.public().as_bytes()[..] == bytes(case, "group") && group.subkey("title")[..] == bytes(case, "title"));
    // What an earlier release has kept is presented still.
    let kept = Credential::from_bytes(&bytes(case, "kept")).ok().unwrap();
    let shown = kept.present(key.public(), &group, &BINDING, &mut rng(2));
    assert!(key.verify(&group.public(), &group.encrypt(&ANA), TODAY, &BINDING, &shown).is_ok());
}
