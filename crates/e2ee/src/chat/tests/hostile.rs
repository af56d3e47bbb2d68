//! What goes wrong by somebody's will: a member who knows MLS, or bytes that are damaged.

use bytes::Bytes;
use openmls::prelude::{
    BasicCredential, Capabilities, CommitBuilder, Credential, CredentialType, CredentialWithKey, Extension,
    ExtensionType, Extensions, ExternalSender, GroupContext, Initial, LeafNodeParameters, Lifetime, MlsGroup,
    MlsGroupCreateConfig, MlsGroupJoinConfig, NewSignerBundle, OpenMlsProvider as _,
    PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, RequiredCapabilitiesExtension, tls_codec::Serialize as _,
};
use proptest::prelude::*;
use undertone_credentials::{DeviceKey, KeyPackage};
use undertone_wire::ChannelId;

use super::*;
use crate::{
    Invitation, Me, Member,
    chat::{
        change::{begun, fork_tag},
        entry, group_id, verify,
    },
    config,
    labels::{CONTEXT_EXTENSION, CREDENTIAL},
};

const SUITE: Suite = Suite::PostQuantum;

pub const LEAF: Option<E2eeError> = Some(E2eeError::Invalid(Flaw::Leaf));
const CONTEXT: Option<E2eeError> = Some(E2eeError::Invalid(Flaw::Context));
const UNSUPPORTED: Option<E2eeError> = Some(E2eeError::Unsupported);

/// A commit by somebody who may write to the channel and says in MLS what he likes. Leaves nothing pending.
pub fn forge(
    by: &Person,
    build: impl for<'a> FnOnce(CommitBuilder<'a, Initial>, &Me<'_>) -> CommitBuilder<'a, Initial>,
) -> Committed {
    by.chat(|me, chat| {
        chat.group.set_aad(seen(2).encode_to_vec());
        let builder = build(chat.group.commit_builder().force_self_update(true), me);
        let bundle = builder
            .load_psks(me.provider.storage())
            .unwrap()
            .build(me.provider.rand(), me.provider.crypto(), &me.signer, |_| true)
            .unwrap()
            .stage_commit(&me.provider)
            .unwrap();
        let (crypto, pending) = (me.provider.crypto(), chat.group.pending_commit().unwrap());
        let entry = entry(bundle.commit(), fork_tag(crypto, pending)?, Vec::new())?;
        let generation = Some(begun(crypto, pending)?);
        chat.discard_pending(me)?;
        Ok(Committed { entry, generation, invitation: None })
    })
    .unwrap()
}

fn commit(
    by: &Person,
    build: impl for<'a> FnOnce(CommitBuilder<'a, Initial>, &Me<'_>) -> CommitBuilder<'a, Initial>,
) -> Bytes {
    forge(by, build).entry
}

fn with_context(by: &Person, extensions: Extensions<GroupContext>) -> Bytes {
    commit(by, |builder, _| builder.propose_group_context_extensions(extensions).unwrap())
}

#[test]
fn the_context_of_a_chat_stays_what_it_is() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let refusal = |extensions| bo.refusal(EntryKind::Commit, &with_context(&ana, extensions), &both);
    let ours = |floor| config::context(CHANNEL, floor).unwrap();

    assert_eq!(refusal(Extensions::empty()), CONTEXT, "nothing");
    assert_eq!(refusal(ours(0)), CONTEXT, "a lowered floor");
    assert_eq!(refusal(config::context(ChannelId::new([8; 16]), 1).unwrap()), CONTEXT, "another channel");

    assert_eq!(refusal(ours(1)), UNSUPPORTED, "the same again, by a proposal");
    assert_eq!(refusal(ours(2)), UNSUPPORTED, "a floor of a later release");
    let mut more = ours(1);
    let (key, credential) = (bo.key.public().as_bytes().to_vec().into(), BasicCredential::new(vec![1]).into());
    more.add(Extension::ExternalSenders(vec![ExternalSender::new(key, credential)])).unwrap();
    assert_eq!(refusal(more), UNSUPPORTED, "something besides");

    // None of it has done anything.
    let commit = ana.self_update(&both);
    ana.follow(&commit, &both);
    bo.follow(&commit, &both);
}

#[test]
fn a_context_demands_of_every_leaf_what_a_chat_is_made_of() {
    let (extension, credential) = (ExtensionType::Unknown(CONTEXT_EXTENSION), CredentialType::Other(CREDENTIAL));
    let refusal = |extensions: &[ExtensionType], credentials: &[CredentialType]| {
        let mut context = config::context(CHANNEL, 1).unwrap();
        let required = RequiredCapabilitiesExtension::new(extensions, &[], credentials);
        context.add_or_replace(Extension::RequiredCapabilities(required)).unwrap();
        verify::context(&context, CHANNEL, 1).err()
    };
    assert_eq!(refusal(&[extension], &[credential]), None);
    assert_eq!(refusal(&[], &[credential]), CONTEXT);
    assert_eq!(refusal(&[extension], &[]), CONTEXT);
    assert_eq!(refusal(&[], &[]), CONTEXT);
}

#[test]
fn who_cannot_follow_a_flawed_commit_is_not_left_behind_by_it() {
    let (ana, bo) = pair();
    let lowered = with_context(&ana, config::context(CHANNEL, 0).unwrap());
    bo.memory.edit(|rows| rows.retain(|key, _| !key.starts_with(b"mls1/epoch keys/")));
    assert_eq!(bo.refusal(EntryKind::Commit, &lowered, &lists(&[&ana, &bo])), CONTEXT);
}

#[test]
fn a_leaf_stays_who_it_is() {
    let (ana, bo) = pair();
    let (eve, both) = (Person::new(3), lists(&[&ana, &bo]));
    let named = |member: Member, key: &DeviceKey| {
        let credential = CredentialWithKey {
            credential: member.credential(),
            signature_key: key.public().as_bytes().to_vec().into(),
        };
        let leaf = LeafNodeParameters::builder().with_credential_with_key(credential).build();
        commit(&ana, |builder, _| builder.leaf_node_parameters(leaf))
    };
    let refusal = |entry: Bytes| bo.refusal(EntryKind::Commit, &entry, &both);
    let member = |person: &Person, device| Member { account: person.account(), device };
    assert_eq!(refusal(named(member(&bo, 1), &ana.key)), LEAF, "somebody else of this chat");
    assert_eq!(refusal(named(member(&eve, 1), &ana.key)), LEAF, "somebody else");
    assert_eq!(refusal(named(member(&ana, 2), &ana.key)), LEAF, "a device that is on no list");
}

#[test]
fn a_leaf_does_not_become_another_device_of_the_same_person() {
    let [ana, second] = &Person::with_devices(1, 2)[..] else { panic!("two devices") };
    let bo = Person::new(2);
    let both = lists(&[ana, &bo]);
    let invitation = ana.create(&[&bo]).unwrap();
    bo.join(&invitation, &both).unwrap();
    // It is on the list and not in the chat, and it helps: the leaf is signed by its key.
    let entry = second.act(|helper| {
        ana.chat(|me, chat| {
            let credential_with_key = CredentialWithKey {
                credential: second.member().credential(),
                signature_key: second.key.public().as_bytes().to_vec().into(),
            };
            chat.group.set_aad(seen(2).encode_to_vec());
            let bundle = chat
                .group
                .commit_builder()
                .force_self_update(true)
                .load_psks(me.provider.storage())
                .unwrap()
                .build_with_new_signer(
                    me.provider.rand(),
                    me.provider.crypto(),
                    &me.signer,
                    NewSignerBundle { signer: &helper.signer, credential_with_key },
                    |_| true,
                )
                .unwrap()
                .stage_commit(&me.provider)
                .unwrap();
            let pending = chat.group.pending_commit().unwrap();
            entry(bundle.commit(), fork_tag(me.provider.crypto(), pending)?, Vec::new())
        })
    });
    assert_eq!(bo.refusal(EntryKind::Commit, &entry.unwrap(), &both), LEAF);
}

#[test]
fn who_is_on_no_list_has_no_say() {
    let (ana, bo) = pair();
    let (message, commit) = (ana.encrypt("hello"), ana.self_update(&lists(&[&ana, &bo])));
    let without = lists(&[&bo]);
    assert_eq!(bo.refusal(EntryKind::Message, &message, &without), LEAF);
    assert_eq!(bo.refusal(EntryKind::Commit, &commit, &without), LEAF);
}

/// Who has the secrets of a chat and not the key of a leaf in it.
#[test]
fn what_another_key_has_signed_is_nobodys() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let signature = Some(E2eeError::Invalid(Flaw::Signature));
    let eve = Person::new(3);
    let message = eve.act(|other| {
        ana.chat(|me, chat| {
            chat.group.set_aad(seen(1).encode_to_vec());
            let message = chat.group.create_message(&me.provider, &other.signer, b"hello").unwrap();
            entry(&message, Bytes::new(), Vec::new())
        })
    });
    assert_eq!(bo.refusal(EntryKind::Message, &message.unwrap(), &both), signature);
    let commit = eve.act(|other| {
        ana.chat(|me, chat| {
            chat.group.set_aad(seen(2).encode_to_vec());
            let builder = chat.group.commit_builder().force_self_update(true).load_psks(me.provider.storage()).unwrap();
            let (rand, crypto) = (me.provider.rand(), me.provider.crypto());
            let built = builder.build(rand, crypto, &other.signer, |_| true).unwrap();
            let bundle = built.stage_commit(&me.provider).unwrap();
            let tag = fork_tag(crypto, chat.group.pending_commit().unwrap())?;
            let entry = entry(bundle.commit(), tag, Vec::new());
            chat.discard_pending(me)?;
            entry
        })
    });
    assert_eq!(bo.refusal(EntryKind::Commit, &commit.unwrap(), &both), signature);
    all_talk(&[&ana, &bo], &both);
}

#[test]
fn an_entry_is_what_its_kind_says() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let kind = Some(E2eeError::Invalid(Flaw::Kind));
    let message = ana.encrypt("hello");
    let proposal = ana
        .act(|me| {
            let mut chat = ana.load(me)?.unwrap();
            let leaf = LeafNodeParameters::builder().build();
            let (proposal, _) = chat.group.propose_self_update(&me.provider, &me.signer, leaf).unwrap();
            entry(&proposal, Bytes::new(), Vec::new())
        })
        .unwrap();
    ana.chat(|me, chat| {
        chat.group.clear_pending_proposals(me.provider.storage()).unwrap();
        Ok(())
    })
    .unwrap();
    let commit = ana.self_update(&both);

    assert_eq!(bo.refusal(EntryKind::Commit, &message, &both), kind);
    assert_eq!(bo.refusal(EntryKind::Message, &commit, &both), kind);
    assert_eq!(bo.refusal(EntryKind::Unspecified, &message, &both), kind);
    assert_eq!(bo.refusal(EntryKind::Message, &proposal, &both), kind);
    assert_eq!(bo.refusal(EntryKind::Commit, &proposal, &both), kind);
    assert_eq!(bo.refusal(EntryKind::Change, &commit, &both), UNSUPPORTED);
    let welcome = Person::new(4).create(&[&Person::new(5)]).unwrap().welcome;
    assert_eq!(bo.refusal(EntryKind::Commit, &changed(&commit, |entry| entry.mls = welcome), &both), kind);

    // A commit that hides in a PrivateMessage.
    ana.chat(|me, chat| {
        chat.discard_pending(me)?;
        let config = MlsGroupJoinConfig::builder().wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY).build();
        chat.group.set_configuration(me.provider.storage(), &config).unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(bo.refusal(EntryKind::Commit, &ana.self_update(&both), &both), kind);
}

#[test]
fn entries_of_another_chat_are_refused() {
    let (_, bo) = pair();
    let (eve, other) = (Person::new(4), Person::new(5));
    let both = lists(&[&eve, &other]);
    eve.create(&[&other]).unwrap();
    // The same channel's name, another group under it.
    let refused = |kind, entry: &[u8]| bo.refusal(kind, entry, &lists(&[&eve, &bo]));
    assert!(refused(EntryKind::Message, &eve.encrypt("hello")) == Some(Flaw::Ciphertext.into()));
    assert!(refused(EntryKind::Commit, &eve.self_update(&both)) == Some(Flaw::Fork.into()));
}

#[test]
fn authenticated_data_is_bound_and_must_parse() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let tamper = |entry: &[u8]| {
        changed(entry, |entry| {
            let chain = entry.mls.windows(32).position(|bytes| bytes == [4; 32]).unwrap();
            let mut mls = entry.mls.to_vec();
            mls[chain] ^= 1;
            entry.mls = mls.into();
        })
    };
    let message = tamper(&ana.encrypt("hello"));
    assert_eq!(bo.refusal(EntryKind::Message, &message, &both), Some(Flaw::Ciphertext.into()));
    let commit = tamper(&ana.self_update(&both));
    assert_eq!(bo.refusal(EntryKind::Commit, &commit, &both), Some(Flaw::Fork.into()));

    let nonsense = ana
        .chat(|me, chat| {
            chat.group.set_aad(vec![0xff; 5]);
            entry(&chat.group.create_message(&me.provider, &me.signer, b"hello").unwrap(), Bytes::new(), Vec::new())
        })
        .unwrap();
    assert_eq!(bo.refusal(EntryKind::Message, &nonsense, &both), Some(Flaw::AuthenticatedData.into()));
}

#[test]
fn a_wrong_fork_tag_is_refused() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let commit = ana.self_update(&both);
    for tag in [&[][..], &[0; 32], &[0; 31]] {
        let commit = changed(&commit, |entry| entry.fork_tag = Bytes::copy_from_slice(tag));
        assert_eq!(bo.refusal(EntryKind::Commit, &commit, &both), Some(Flaw::Fork.into()));
    }
    bo.follow(&commit, &both);
}

#[test]
fn an_invitation_is_judged_before_it_is_taken() {
    let (ana, bo, eve) = (Person::new(1), Person::new(2), Person::new(3));
    let both = lists(&[&ana, &bo]);
    let invitation = ana.create(&[&bo, &eve]).unwrap();
    assert_eq!(bo.join(&invitation, &both).err(), LEAF, "a leaf too many");
    assert_eq!(bo.join(&invitation, &lists(&[&bo, &eve])).err(), LEAF, "the inviter is nobody");

    let elsewhere = bo.act(|me| {
        Chat::join(me, ChannelId::new([8; 16]), 0, &invitation.welcome, &invitation.tree, &lists(&[&ana, &bo, &eve]))
            .map(drop)
    });
    assert_eq!(elsewhere, Err(Flaw::Epoch.into()));
    let swapped = Invitation { welcome: invitation.tree.clone(), tree: invitation.welcome.clone() };
    assert!(matches!(bo.join(&swapped, &both), Err(E2eeError::Invalid(_))));
    let other_tree = Person::new(4).create(&[&Person::new(5)]).unwrap().tree;
    let swapped = Invitation { welcome: invitation.welcome.clone(), tree: other_tree };
    assert!(matches!(bo.join(&swapped, &both), Err(E2eeError::Invalid(_))));

    // Refusals used nothing up.
    bo.join(&invitation, &lists(&[&ana, &bo, &eve])).unwrap();
}

/// One would find out only when one commits, and then never could again.
#[test]
fn a_tree_with_a_node_that_nobody_can_encrypt_to_is_refused() {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let both = lists(&[&ana, &bo]);
    let invitation = ana.create(&[&bo]).unwrap();
    let (leaf, parent) = ana
        .chat(|_, chat| {
            let tree = chat.group.export_ratchet_tree();
            let leaf = tree.leaves().next().unwrap().tls_serialize_detached().unwrap();
            Ok((leaf, tree.parents().next().unwrap().tls_serialize_detached().unwrap()))
        })
        .unwrap();
    for node in [leaf, parent] {
        // Its key comes first: two bytes that say how long it is, then the key.
        let at = invitation.tree.windows(64).position(|bytes| bytes == &node[..64]).unwrap() + 2;
        let mut tree = invitation.tree.to_vec();
        tree[at..at + 1_184].fill(0xff);
        let tampered = Invitation { welcome: invitation.welcome.clone(), tree: tree.into() };
        assert_eq!(bo.join(&tampered, &both).err(), Some(Flaw::Commit.into()));
    }
    bo.join(&invitation, &both).unwrap();
}

#[test]
fn an_invitation_to_a_chat_of_another_kind_is_refused() {
    let invite = |extensions| {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let package = bo.key_package(false);
        let invitation = ana
            .act(|me| {
                let config = MlsGroupCreateConfig::builder()
                    .ciphersuite(SUITE.mls())
                    .capabilities(config::capabilities(SUITE))
                    .with_group_context_extensions(extensions)
                    .build();
                let mut group = MlsGroup::new_with_group_id(
                    &me.provider,
                    &me.signer,
                    &config,
                    group_id(CHANNEL, 0),
                    me.credential(),
                )
                .unwrap();
                let package = crate::key_package::check(&me.provider, SUITE, &bo.list, &package)?;
                crate::chat::create::add(me, &mut group, vec![package])
            })
            .unwrap();
        bo.join(&invitation, &lists(&[&ana, &bo])).err()
    };
    assert_eq!(invite(Extensions::empty()), CONTEXT);
    assert_eq!(invite(config::context(ChannelId::new([8; 16]), 1).unwrap()), CONTEXT);
    assert_eq!(invite(config::context(CHANNEL, 2).unwrap()), UNSUPPORTED);
    assert_eq!(invite(config::context(CHANNEL, 1).unwrap()), None);
}

#[test]
fn a_key_package_must_add_the_device_that_it_names() {
    let mut bos = Person::with_devices(2, 2);
    let (ana, bo2, bo, eve) = (Person::new(1), bos.pop().unwrap(), bos.pop().unwrap(), Person::new(3));
    let refusal = |package: &KeyPackage| {
        ana.act(|me| {
            Chat::create(me, CHANNEL, Suite::PostQuantum, &[(&bo.list, package)])?;
            Err::<(), _>(E2eeError::Internal)
        })
        .err()
        .filter(|error| *error != E2eeError::Internal)
    };
    let made = |by: &Person, capabilities, lifetime| {
        let mls = by
            .act(|me| {
                let bundle = openmls::prelude::KeyPackage::builder()
                    .leaf_node_capabilities(capabilities)
                    .key_package_lifetime(lifetime)
                    .build(SUITE.mls(), &me.provider, &me.signer, me.credential())
                    .unwrap();
                Ok(Bytes::from(bundle.key_package().tls_serialize_detached().unwrap()))
            })
            .unwrap();
        bo.sign_key_package(mls, false)
    };
    let right = config::capabilities;
    assert_eq!(refusal(&made(&bo, right(SUITE), config::lifetime())), None);
    assert_eq!(refusal(&made(&eve, right(SUITE), config::lifetime())), LEAF);
    assert_eq!(refusal(&bo.sign_key_package(bo2.key_package(false).mls().clone(), false)), LEAF);
    let malformed = Some(E2eeError::Invalid(Flaw::Malformed));
    assert_eq!(refusal(&made(&bo, right(SUITE), Lifetime::init(0, u64::MAX - 1))), malformed);
    let resort = bo.key_package(true);
    assert_eq!(refusal(&bo.sign_key_package(resort.mls().clone(), false)), malformed);
    assert_eq!(refusal(&bo.sign_key_package(Bytes::from_static(b"nonsense"), false)), malformed);
    let mut flipped = resort.mls().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let signature = Some(E2eeError::Invalid(Flaw::Signature));
    assert_eq!(refusal(&bo.sign_key_package(flipped.into(), true)), signature);
    let little = Capabilities::builder()
        .ciphersuites(vec![SUITE.mls()])
        .credentials(vec![Credential::credential_type(&Member { account: bo.account(), device: 1 }.credential())])
        .build();
    assert_eq!(refusal(&made(&bo, little, config::lifetime())), UNSUPPORTED);
}

/// Damaged entries are refused, whatever is damaged, and never panic.
#[test]
fn every_cut_and_many_flips_are_refused() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let entries = [(EntryKind::Message, ana.encrypt("hello")), (EntryKind::Commit, ana.self_update(&both))];
    for (kind, entry) in &entries {
        // Every place of a message; of a commit, which is mostly key material, one in 23.
        let step = if *kind == EntryKind::Message { 1 } else { 23 };
        damaged(entry, step, |entry, what| assert!(bo.refusal(*kind, entry, &both).is_some(), "{what}"));
    }
    for (kind, entry) in &entries {
        assert!(bo.receive(*kind, entry, &both).is_ok());
    }
}

/// Those that add and remove too, and restarts.
#[test]
fn damage_to_what_devices_do_is_refused() {
    let (ana, bo1, bo2) = trio();
    let (known, bo3) = (lists(&[&ana, &bo2]), bo2.next_device());
    let package = bo3.key_package(false);
    let plan = Plan {
        adds: vec![(&bo3.list, &package)],
        removes: vec![ana.member()],
        lists: vec![&bo3.list],
        generation: true,
    };
    assert!(bo1.commit(&plan, &known).is_err(), "not his to remove");
    let plan = Plan { removes: vec![bo2.member()], ..plan };
    let committed = bo1.commit(&plan, &known).unwrap();
    let with = |entry: &[u8]| Committed {
        entry: Bytes::copy_from_slice(entry),
        generation: committed.generation.as_ref().map(|generation| Generation::from_secret(*generation.secret())),
        invitation: None,
    };
    damaged(&committed.entry, 97, |entry, what| {
        assert!(ana.take(&with(entry), &known).is_err(), "{what}");
    });
    ana.merge(&committed, &known);

    let known = lists(&[&ana, &bo3]);
    let at = RestartAt { channel: CHANNEL, group: 1, position: Position { incarnation: 0, epoch: 9 } };
    let packages = [bo1.key_package(true), bo2.key_package(true), bo3.key_package(true)];
    let adds = [&bo1, &bo2, &bo3].into_iter().zip(&packages).map(|(person, package)| (&person.list, package));
    let plan = Plan { adds: adds.collect(), ..Plan::default() };
    let restart = ana.restart(&at, Suite::PostQuantum, &plan, &known).unwrap();
    let installs = restart.generation.as_ref().unwrap().installs();
    let take = |content: &[u8]| {
        let entry = Arriving { kind: EntryKind::Restart, installs: &installs, content };
        bo3.act(|me| Chat::receive_restart(me, &at, &entry, &known).map(drop))
    };
    damaged(&restart.entry, 97, |entry, what| assert!(take(entry).is_err(), "{what}"));
    take(&restart.entry).unwrap();
}

/// Cut, and flipped, in one of so many places.
fn damaged(entry: &[u8], step: usize, check: impl Fn(&[u8], &str)) {
    for at in (0..entry.len()).step_by(step) {
        check(&entry[..at], &format!("cut at {at}"));
        let mut flipped = entry.to_vec();
        flipped[at] ^= 1 << (at % 8);
        check(&flipped, &format!("flipped at {at}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), mls: bool, commit: bool) {
        thread_local!(static PAIR: (Person, Person) = pair());
        PAIR.with(|(ana, bo)| {
            let kind = if commit { EntryKind::Commit } else { EntryKind::Message };
            let entry = if mls {
                EntryContent { mls: bytes.into(), ..EntryContent::default() }.encode_to_vec()
            } else {
                bytes
            };
            prop_assert!(bo.refusal(kind, &entry, &lists(&[ana, bo])).is_some());
            let at = RestartAt { channel: CHANNEL, group: 1, position: Position::default() };
            let entry = Arriving { kind: EntryKind::Restart, installs: &[], content: &entry };
            let refused = bo.act(|me| Chat::receive_restart(me, &at, &entry, &lists(&[ana, bo])).map(drop));
            prop_assert!(refused.is_err());
            Ok(())
        })?;
    }
}
