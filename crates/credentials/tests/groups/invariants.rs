//! What always holds of a record, whatever is done to it.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};
use undertone_credentials::{
    CredentialError,
    group::{Action, AttributeKind, Change, Follows, Link, Place, Pseudonym, Record, Refused, Role, Rules, Who},
};
use undertone_wire::{
    Message as _, group,
    limits::{GROUP_BANNED_MAX, GROUP_INVITED_MAX, GROUP_MEMBERS_MAX, GROUP_REQUESTING_MAX, PAGE_BYTES_MAX},
    padding::{ATTRIBUTE, ENTRY},
};

use crate::records::{bytes, change, entry, record, says};

const OPEN: Rules = Rules { add: Who::Members, edit: Who::Members, post: Who::Members };
const FOLLOWS: [Follows; 5] =
    [Follows::Nothing, Follows::Commit, Follows::Entrance, Follows::Generation, Follows::Restart];

/// The first change of a group, by this owner.
fn creation(owner: Pseudonym, rules: Rules, rest: Vec<Action>, follows: Follows) -> Change {
    let create = Action::Create { group_public: [7; 32], rules };
    Change { revision: 1, actor: owner, actions: [vec![create], rest].concat(), follows }
}

fn created() -> Record {
    Record::create(&creation(entry(0), OPEN, Vec::new(), Follows::Nothing)).unwrap()
}

/// One of all actions, to one of a few people, so that they meet; in ways that let groups live for a while.
fn action((kind, whom, role): (u8, u8, u8)) -> Action {
    let whom = entry(whom);
    let role = [Role::Admin, Role::Member, Role::Member, Role::Reader][usize::from(role) % 4];
    let who = |bit: u8| if kind & bit == 0 { Who::Admins } else { Who::Members };
    match kind {
        0..=5 => Action::Add(whom, role),
        6..=11 => Action::Invite(whom, role),
        12..=16 => Action::Accept,
        17 => Action::Decline,
        18 => Action::Revoke(whom),
        19..=21 => Action::Request,
        22..=25 => Action::Join,
        26..=28 => Action::Approve(whom, role),
        29 => Action::Deny(whom),
        30 => Action::Remove(whom),
        31..=33 => Action::Leave,
        34..=39 => Action::Settle,
        40 => Action::Ban(whom),
        41..=42 => Action::Unban(whom),
        43..=45 => Action::SetRole(whom, role),
        46..=53 => Action::SetRules(Rules { add: who(1), edit: who(2), post: who(4) }),
        54..=56 => Action::SetLink([Link::Off, Link::Join([1; 32]), Link::Ask([2; 32])][usize::from(kind - 54)]),
        57..=59 => Action::HandOver(whom),
        60 => Action::SetAttribute(AttributeKind::Title, Bytes::new()),
        61 => Action::SetAttribute(AttributeKind::Title, vec![1; 256].into()),
        62 => Action::Restart,
        63 if role == Role::Reader => Action::Close,
        _ => Action::Create { group_public: [8; 32], rules: OPEN },
    }
}

/// What its bytes say must hold.
fn holds(record: &Record) {
    let says = says(record);
    let mut lists: Vec<Bytes> = says.members.iter().map(|member| member.entry.clone()).collect();
    lists.extend(says.invited.iter().map(|invited| invited.entry.clone()));
    for list in [&says.requesting, &says.banned, &says.left] {
        lists.extend(list.iter().cloned());
    }
    assert_eq!(lists.iter().collect::<BTreeSet<_>>().len(), lists.len(), "nobody has two places");
    let owners = says.members.iter().filter(|member| member.role == i32::from(group::Role::Owner)).count();
    assert!(owners == 1 || (says.closed && says.members.is_empty() && owners == 0), "{owners} owners");
    assert!(Record::decode(&record.encode()).ok().as_ref() == Some(record));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_done(
        changes in vec((0u8..7, vec((0u8..64, 0u8..7, any::<u8>()), 1..4), select(FOLLOWS.to_vec())), 1..60)
    ) {
        let mut record = created();
        for (actor, actions, follows) in changes {
            let (actor, actions) = (entry(actor), actions.into_iter().map(action).collect());
            let before = record.clone();
            let change = change(&record, actor, actions, follows);
            let read = Change::decode(&change.encode().unwrap()).ok().unwrap();
            prop_assert!(read == change);
            if let Ok(next) = record.apply(&change) {
                holds(&next);
                prop_assert_eq!(next.revision(), before.revision() + 1);
                prop_assert!(next.hash() != before.hash());
                prop_assert!(next.apply(&change).err() == Some(Refused::Revision), "once");
                prop_assert!(before.apply(&change).ok().as_ref() == Some(&next), "alike for everyone");
                prop_assert!(!before.is_closed());
                record = next;
            }
            let skipping = Change { revision: record.revision() + 2, ..change };
            prop_assert!(record.apply(&skipping).err() == Some(Refused::Revision));
        }
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in vec(any::<u8>(), 0..600)) {
        let _ = (Record::decode(&bytes), Change::decode(&bytes));
        let mut padded = (bytes.len() as u32).to_be_bytes().to_vec();
        padded.extend(&bytes);
        padded.resize(ENTRY[2], 0);
        let _ = Change::decode(&padded);
    }
}

#[test]
fn a_group_is_made_once_by_its_first_change() {
    let refused = |change: &Change| Record::create(change).err();
    let good = creation(entry(0), OPEN, Vec::new(), Follows::Nothing);
    let record = Record::create(&good).unwrap();
    assert!(record.members().eq([(&entry(0), Role::Owner)]) && record.revision() == 1);
    assert_eq!(refused(&Change { revision: 2, ..good.clone() }), Some(Refused::Create));
    assert_eq!(refused(&Change { revision: 0, ..good.clone() }), Some(Refused::Create));
    assert_eq!(refused(&Change { actions: vec![Action::Leave], ..good.clone() }), Some(Refused::Create));
    let twice = creation(entry(0), OPEN, good.actions.clone(), Follows::Nothing);
    assert_eq!(refused(&twice), Some(Refused::Create));
    let again = change(&record, entry(0), good.actions.clone(), Follows::Nothing);
    assert_eq!(record.apply(&again).err(), Some(Refused::Create));
    // Whoever makes it may do more at once, as its owner.
    let rest = vec![
        Action::SetAttribute(AttributeKind::Title, vec![1; 256].into()),
        Action::Add(entry(1), Role::Admin),
        Action::Invite(entry(2), Role::Reader),
    ];
    let whole = creation(entry(0), OPEN, rest, Follows::Commit);
    assert_eq!(Record::create(&whole).unwrap().places().count(), 3);
    assert_eq!(refused(&Change { follows: Follows::Nothing, ..whole }), Some(Refused::Follows));
}

#[test]
fn an_owner_hands_over_before_he_leaves_and_the_last_one_ends_the_group() {
    let record = created();
    let add = change(&record, entry(0), vec![Action::Add(entry(1), Role::Member)], Follows::Commit);
    let record = record.apply(&add).unwrap();
    let leave = change(&record, entry(0), vec![Action::Leave], Follows::Nothing);
    assert_eq!(record.apply(&leave).err(), Some(Refused::NotAllowed));
    let both = vec![Action::HandOver(entry(1)), Action::Leave];
    let record = record.apply(&change(&record, entry(0), both, Follows::Nothing)).unwrap();
    assert!(record.is_owed() && record.place(&entry(0)) == Some(&Place::Left));
    assert!(record.members().eq([(&entry(1), Role::Owner)]));
    let last = record.apply(&change(&record, entry(1), vec![Action::Leave], Follows::Nothing)).unwrap();
    assert!(last.is_closed() && !last.is_owed() && last.members().next().is_none());
    let settled = record.apply(&change(&record, entry(1), vec![Action::Settle], Follows::Generation)).unwrap();
    assert!(!settled.is_owed() && settled.place(&entry(0)).is_none());
}

#[test]
fn an_actor_who_is_gone_does_no_more_in_the_same_change() {
    let mut says = says(&created());
    says.members.push(group::Member { entry: bytes(1), role: group::Role::Member.into() });
    let record = record(says).unwrap();
    let apply = |actions| record.apply(&change(&record, entry(1), actions, Follows::Nothing)).err();
    assert_eq!(apply(vec![Action::Invite(entry(2), Role::Member)]), None);
    assert_eq!(apply(vec![Action::Leave, Action::Invite(entry(2), Role::Member)]), Some(Refused::Owed));
    assert_eq!(apply(vec![Action::Leave, Action::Leave]), Some(Refused::NotAllowed));
}

/// A group that is as full as it may be.
fn full() -> group::Record {
    let number = |number: usize| {
        let mut entry = vec![9; 64];
        entry[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Bytes::from(entry)
    };
    let mut numbers = (0..).map(number);
    let mut take = |count| numbers.by_ref().take(count).collect::<Vec<_>>();
    let role = |at| if at == 0 { group::Role::Owner } else { group::Role::Member };
    let members = take(GROUP_MEMBERS_MAX).into_iter().enumerate();
    group::Record {
        members: members.map(|(at, entry)| group::Member { entry, role: role(at).into() }).collect(),
        invited: take(GROUP_INVITED_MAX)
            .into_iter()
            .map(|entry| group::Invited { entry, role: group::Role::Member.into(), by: number(0) })
            .collect(),
        requesting: take(GROUP_REQUESTING_MAX),
        banned: take(GROUP_BANNED_MAX),
        rules: Some(group::Rules { add: 1, edit: 1, post: 1 }),
        link: Some(group::Link { mode: 1, secret_hash: vec![1; 32].into() }),
        attributes: (1..6)
            .map(|kind| group::Attribute { kind, sealed: vec![1; if kind == 3 { ATTRIBUTE[3] } else { 256 }].into() })
            .collect(),
        revision: u64::MAX - 2,
        ..group::Record::default()
    }
}

#[test]
fn a_full_group_takes_nobody_and_fits_a_page() {
    let record = record(full()).unwrap();
    assert!(record.encode().len() < PAGE_BYTES_MAX, "{}", record.encode().len());
    let owner = *record.members().next().unwrap().0;
    let apply = |actions, follows| record.apply(&change(&record, owner, actions, follows)).err();
    let new = entry(0xee);
    assert_eq!(apply(vec![Action::Add(new, Role::Member)], Follows::Commit), Some(Refused::Full));
    assert_eq!(apply(vec![Action::Invite(new, Role::Member)], Follows::Nothing), Some(Refused::Full));
    assert_eq!(apply(vec![Action::Ban(new)], Follows::Nothing), Some(Refused::Full));
    let actor = |actor, action, follows| record.apply(&change(&record, actor, vec![action], follows)).err();
    assert_eq!(actor(new, Action::Join, Follows::Entrance), Some(Refused::Full));
    let invited = record.places().find(|(_, place)| matches!(place, Place::Invited { .. })).unwrap();
    assert_eq!(actor(*invited.0, Action::Accept, Follows::Entrance), Some(Refused::Full));
    // Who goes makes room once his leaves are gone too.
    let member = *record.members().nth(1).unwrap().0;
    let left = record.apply(&change(&record, member, vec![Action::Leave], Follows::Nothing)).unwrap();
    let both = vec![Action::Settle, Action::Add(new, Role::Member)];
    assert!(left.apply(&change(&left, owner, both, Follows::Generation)).is_ok());
    let swap = vec![Action::Remove(member), Action::Add(new, Role::Member)];
    assert_eq!(apply(swap, Follows::Generation), None);
}

#[test]
fn a_record_has_one_encoding() {
    let good = full();
    let wrong: [fn(&mut group::Record); 12] = [
        |says| says.members.swap(0, 1),
        |says| says.members.push(says.members[999].clone()),
        |says| says.banned.push(says.requesting[0].clone()),
        |says| says.members[0].role = group::Role::Admin.into(),
        |says| says.members[1].role = group::Role::Owner.into(),
        |says| says.members[1].entry = vec![1; 63].into(),
        |says| says.members[1].role = 0,
        |says| says.invited[0].role = group::Role::Owner.into(),
        |says| says.attributes.swap(0, 1),
        |says| says.attributes[0].sealed = vec![1; 255].into(),
        |says| says.group_public = vec![1; 31].into(),
        |says| says.link = Some(group::Link { mode: 0, secret_hash: vec![1; 32].into() }),
    ];
    let mut good = says(&record(good).unwrap());
    good.revision = 5;
    let decode = |says: &group::Record| Record::decode(&says.encode_to_vec()).err();
    assert_eq!(decode(&good), None);
    for change in wrong {
        let mut says = good.clone();
        change(&mut says);
        assert_eq!(decode(&says), Some(CredentialError::Malformed));
    }
    let newer: [fn(&mut group::Record); 3] =
        [|says| says.version = 2, |says| says.members[1].role = 9, |says| says.link.as_mut().unwrap().mode = 9];
    for change in newer {
        let mut says = good.clone();
        change(&mut says);
        assert_eq!(decode(&says), Some(CredentialError::Newer));
    }
    assert_eq!(decode(&group::Record { revision: 0, ..good.clone() }), Some(CredentialError::Malformed));
    let unknown = [&good.encode_to_vec()[..], &[0xf8, 0x01, 1]].concat();
    assert_eq!(Record::decode(&unknown).err(), Some(CredentialError::Malformed));
}

#[test]
fn a_change_of_a_later_release_is_told_from_a_broken_one() {
    let good = group::Change {
        version: 1,
        revision: 2,
        actor: bytes(1),
        actions: vec![group::Action { kind: Some(group::action::Kind::Leave(group::Nothing {})) }],
        ..group::Change::default()
    };
    let decode = |change: &group::Change| {
        let padded = undertone_wire::padding::pad(&change.encode_to_vec(), 0, ENTRY).unwrap();
        Change::decode(&padded).err()
    };
    assert_eq!(decode(&good), None);
    let newer: [fn(&mut group::Change); 3] = [
        |change| change.version = 2,
        |change| change.follows = 9,
        |change| change.actions.push(group::Action { kind: None }),
    ];
    let malformed: [fn(&mut group::Change); 4] = [
        |change| change.version = 0,
        |change| change.actor = vec![1; 63].into(),
        |change| change.actions.clear(),
        |change| change.actions = vec![change.actions[0].clone(); 65],
    ];
    let cases = newer.map(|change| (change, CredentialError::Newer)).into_iter();
    for (wrong, error) in cases.chain(malformed.map(|change| (change, CredentialError::Malformed))) {
        let mut change = good.clone();
        wrong(&mut change);
        assert_eq!(decode(&change), Some(error));
    }
}

/// Formats that outlive a process do not drift: these values are frozen.
#[test]
fn known_answers() {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let rest = vec![Action::Add(entry(1), Role::Member), Action::SetLink(Link::Ask(Link::hash(&[3; 32])))];
    let record = Record::create(&creation(entry(2), OPEN, rest, Follows::Commit)).unwrap();
    assert_eq!(
        [hex(&record.hash()), hex(&Link::hash(&[3; 32]))],
        [
            "eeca0a3e4efe744eedcb3da1dd3029426b0ddf1387129f7ee2dd96b3ea9ec2f4",
            "76920e1bc9dcf5ab303a43577b8fae27f53dfcea91e09aa5ddc0fd17631bccbb",
        ]
    );
}
