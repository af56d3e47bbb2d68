//! Who may come and who may be sent away: commits of members who would like it otherwise.

use bytes::Bytes;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    Capabilities, CredentialType, KeyPackage as MlsKeyPackage, KeyPackageIn, LeafNodeIndex, Lifetime,
};
use openmls::prelude::{OpenMlsProvider as _, ProtocolVersion};
use undertone_credentials::DeviceList;

use super::{
    hostile::{LEAF, forge},
    *,
};
use crate::{config, labels::CREDENTIAL};

const GENERATION: Option<E2eeError> = Some(E2eeError::Invalid(Flaw::Generation));
const COMMIT: Option<E2eeError> = Some(E2eeError::Invalid(Flaw::Commit));
const LIST: Option<E2eeError> = Some(E2eeError::Invalid(Flaw::List));

/// The leaf of a device in Ana's view of the chat.
fn leaf(ana: &Person, member: &Person) -> LeafNodeIndex {
    ana.chat(|_, chat| Ok(chat.leaf_of(member.member())?)).unwrap()
}

fn plain(committed: Committed) -> Committed {
    Committed { generation: None, ..committed }
}

fn with_lists(committed: &Committed, lists: &[&[u8]]) -> Committed {
    let entry = changed(&committed.entry, |content| {
        content.device_lists = lists.iter().map(|list| Bytes::copy_from_slice(list)).collect();
    });
    Committed { entry: entry.into(), generation: None, invitation: None }
}

fn mls(by: &Person, package: &[u8]) -> MlsKeyPackage {
    let package = KeyPackageIn::tls_deserialize_exact(package).unwrap();
    by.act(|me| Ok(package.validate(me.provider.crypto(), ProtocolVersion::Mls10).unwrap())).unwrap()
}

#[test]
fn nobody_with_a_place_is_sent_away_by_others() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let removed = leaf(&ana, &bo2);
    let committed = forge(&ana, |builder, _| builder.propose_removals([removed]));
    for person in [&bo1, &bo2] {
        assert_eq!(person.take(&committed, &known).err(), LEAF);
    }
    // Not even by who has a reason to send another away in the same commit.
    let without = bo2.list_without(1);
    let both = [leaf(&ana, &bo1), removed];
    let committed = forge(&ana, |builder, _| builder.propose_removals(both));
    let committed = Committed { entry: with_lists(&committed, &[without.encoded()]).entry, ..committed };
    assert_eq!(bo2.take(&committed, &known).err(), LEAF);
    all_talk(&[&ana, &bo1, &bo2], &known);
}

#[test]
fn who_is_sent_away_is_locked_out() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let without = bo2.list_without(2);
    let now: Lists<'_> = [&ana.list, &without].into_iter().collect();
    let removed = leaf(&ana, &bo2);
    let committed = forge(&ana, |builder, _| builder.propose_removals([removed]));
    let generation = committed.generation.as_ref().unwrap();
    let with = |installs: &[u8]| {
        let entry = Arriving { kind: EntryKind::Commit, installs, content: &committed.entry };
        bo1.chat(|me, chat| chat.receive(me, &entry, &now).map(drop)).err()
    };
    let right = generation.installs();
    let swapped = [&right[32..], &right[..32]].concat();
    for wrong in [&[][..], &right[..32], &[&right[..], &[0]].concat(), &swapped, &[7; 64]] {
        assert_eq!(with(wrong), GENERATION);
    }
    // Whoever cannot follow finds the flaw that is there for all to see.
    let lost = bo1.memory.rows.borrow().clone();
    bo1.memory.edit(|rows| rows.retain(|key, _| !key.starts_with(b"mls1/epoch keys/")));
    assert_eq!(with(&[]), GENERATION);
    assert_eq!(with(&right), Some(E2eeError::Private));
    bo1.memory.edit(|rows| *rows = lost);

    assert_eq!(bo1.take(&committed, &known).err(), LEAF, "before the list says so");
    assert!(bo1.take(&committed, &now).is_ok());
    let plan = Plan { removes: vec![bo2.member()], ..Plan::default() };
    assert_eq!(ana.commit(&plan, &now).err(), GENERATION, "we do not make such a one either");
}

#[test]
fn nobody_stays_who_has_lost_his_place() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let without = bo2.list_without(2);
    let plan = Plan { lists: vec![&without], generation: true, ..Plan::default() };
    assert_eq!(ana.commit(&plan, &known).err(), LEAF);
    let idle = forge(&ana, |builder, _| builder);
    assert_eq!(bo1.take(&with_lists(&idle, &[without.encoded()]), &known).err(), LEAF);
    // Nor does it help to say nothing of it, once the log has the list.
    let now: Lists<'_> = [&ana.list, &without].into_iter().collect();
    assert_eq!(bo1.take(&plain(idle), &now).err(), LEAF);
    let by_himself = forge(&bo2, |builder, _| builder);
    assert_eq!(bo1.take(&plain(by_himself), &now).err(), LEAF);
}

#[test]
fn only_lists_of_the_chat_are_brought() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let idle = forge(&ana, |builder, _| builder);
    let (eve, newer) = (Person::new(3), bo.next_device().list);
    let refusal = |brought: &[&[u8]]| bo.take(&with_lists(&idle, brought), &both).err();
    assert_eq!(refusal(&[eve.list.encoded()]), LIST, "of a stranger");
    assert_eq!(refusal(&[newer.encoded(), eve.list.encoded()]), LIST);
    assert_eq!(refusal(&[b"nonsense"]), LIST);
    assert_eq!(refusal(&[b""]), LIST);
    let mut flipped = newer.encoded().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(&[&flipped]), LIST);
    assert_eq!(refusal(&[newer.encoded(), ana.list.encoded(), bo.list.encoded()]), LIST, "more than accounts");
    let plan = Plan { lists: vec![&eve.list], ..Plan::default() };
    assert_eq!(ana.commit(&plan, &both).err(), LIST);

    // Of two, the newer counts, in whatever order they come.
    for brought in [[newer.encoded(), bo.list.encoded()], [bo.list.encoded(), newer.encoded()]] {
        let brought: Vec<Bytes> = brought.into_iter().cloned().collect();
        let change: Vec<DeviceList> = both.newer(&brought).unwrap();
        assert!(change.len() == 1 && change[0].encoded() == newer.encoded());
    }
}

#[test]
fn each_device_comes_once_and_with_a_place() {
    let (ana, bo1, bo2) = trio();
    let (known, eve) = (lists(&[&ana, &bo2]), Person::new(3));
    let bo3 = bo2.next_device();
    let add = |of: &Person| {
        let package = of.act(|me| crate::create_key_package(me, Suite::PostQuantum, true)).unwrap();
        let package = mls(&ana, &package);
        plain(forge(&ana, |builder, _| builder.propose_adds([package])))
    };
    assert_eq!(bo1.take(&add(&eve), &known).err(), LEAF, "of a stranger");
    assert_eq!(bo1.take(&add(&bo3), &known).err(), LEAF, "on a list that the log does not have");
    let named = Person { number: 1, ..bo2.next_device() };
    assert_eq!(bo1.take(&add(&named), &known).err(), LEAF, "under the name of another");
    assert!(bo1.take(&with_lists(&add(&bo3), &[bo3.list.encoded()]), &known).is_ok());

    // MLS itself refuses to build what has one device twice.
    let plan = |package| Plan { adds: vec![(&bo2.list, package)], ..Plan::default() };
    let package = bo2.key_package(true);
    assert_eq!(ana.commit(&plan(&package), &known).err(), COMMIT);
    let classical = bo2.key_package_of(Suite::Classical, true);
    assert_eq!(ana.commit(&plan(&classical), &known).err(), Some(E2eeError::Unsupported));
}

#[test]
fn who_comes_can_do_what_a_chat_needs() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let removed = leaf(&ana, &bo2);
    let add = |capabilities: Capabilities, lifetime| {
        let package = bo2
            .act(|me| {
                let bundle = MlsKeyPackage::builder()
                    .leaf_node_capabilities(capabilities)
                    .key_package_lifetime(lifetime)
                    .build(Suite::PostQuantum.mls(), &me.provider, &me.signer, me.credential())
                    .unwrap();
                Ok(bundle.key_package().tls_serialize_detached().unwrap())
            })
            .unwrap();
        let package = mls(&ana, &package);
        // Ana's own MLS would refuse some of these as well.
        ana.chat(|me, chat| {
            let built = chat
                .group
                .commit_builder()
                .force_self_update(true)
                .propose_adds([package])
                .propose_removals([removed])
                .load_psks(me.provider.storage())
                .unwrap()
                .build(me.provider.rand(), me.provider.crypto(), &me.signer, |_| true);
            Ok(built.is_ok())
        })
        .unwrap()
    };
    let right = config::capabilities(Suite::PostQuantum);
    let little = Capabilities::builder()
        .ciphersuites(vec![Suite::PostQuantum.mls()])
        .credentials(vec![CredentialType::Other(CREDENTIAL)])
        .build();
    assert!(add(right.clone(), config::lifetime()));
    assert!(!add(little, config::lifetime()));

    // A life that ends is none of ours: a late reader would judge by his clock.
    let short = bo2
        .act(|me| {
            let bundle = MlsKeyPackage::builder()
                .leaf_node_capabilities(right.clone())
                .key_package_lifetime(Lifetime::init(0, u64::MAX - 1))
                .build(Suite::PostQuantum.mls(), &me.provider, &me.signer, me.credential())
                .unwrap();
            Ok(bundle.key_package().tls_serialize_detached().unwrap())
        })
        .unwrap();
    let short = mls(&ana, &short);
    let committed = plain(forge(&ana, |builder, _| builder.propose_adds([short]).propose_removals([removed])));
    assert_eq!(bo1.take(&committed, &known).err(), LEAF);
}
