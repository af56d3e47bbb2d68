//! What records and changes answer to those who judge by them, the service and members; and what each action makes of a record.

use bytes::Bytes;
use undertone_credentials::{
    CredentialError, GroupMasterKey,
    group::{
        Action, AttributeKind, Change, Follows, Link, Place, Pseudonym, Record, Refused, Role, Rules, Standing, Who,
    },
};
use undertone_wire::{AccountId, Message as _, group, padding};

use crate::records::{bytes, change, entry, record};

const OWNER: u8 = 1;
const EVERYBODY: i32 = 1;

fn member(number: u8, role: group::Role) -> group::Member {
    group::Member { entry: bytes(number), role: role.into() }
}

/// A record with its owner, as it goes on.
fn of_owner(rest: group::Record) -> Record {
    record(group::Record { members: [vec![member(OWNER, group::Role::Owner)], rest.members].concat(), ..rest }).unwrap()
}

fn by(actor: u8, actions: Vec<Action>) -> Change {
    Change { revision: 2, actor: entry(actor), actions, follows: Follows::Nothing }
}

#[test]
fn a_record_says_what_it_was_made_of() {
    let sealed = Bytes::from(vec![4; 256]);
    let made = of_owner(group::Record {
        revision: 5,
        members: vec![member(2, group::Role::Reader)],
        invited: vec![group::Invited { entry: bytes(3), role: group::Role::Admin.into(), by: bytes(OWNER) }],
        rules: Some(group::Rules { add: EVERYBODY, edit: 0, post: EVERYBODY }),
        link: Some(group::Link { mode: group::LinkMode::Ask.into(), secret_hash: vec![6; 32].into() }),
        attributes: vec![group::Attribute { kind: group::AttributeKind::Pinned.into(), sealed: sealed.clone() }],
        ..group::Record::default()
    });
    assert!(made.group_public() == &[7; 32] && made.revision() == 5 && !made.is_closed());
    assert_eq!(made.rules(), Rules { add: Who::Members, edit: Who::Admins, post: Who::Members });
    assert!(made.link() == &Link::Ask([6; 32]));
    assert!(made.attribute(AttributeKind::Pinned) == Some(&sealed) && made.attribute(AttributeKind::Title).is_none());
    assert!(made.members().eq([(&entry(OWNER), Role::Owner), (&entry(2), Role::Reader)]));
    let invited = Place::Invited { role: Role::Admin, by: entry(OWNER) };
    assert!(made.place(&entry(3)) == Some(&invited) && made.place(&entry(4)).is_none());
    assert!(made.places().map(|(whom, _)| whom).eq([&entry(OWNER), &entry(2), &entry(3)]));
    assert_eq!(made.standing(&entry(3)), Standing::Invited);
}

/// Everybody of a group, by his number, with a link by which one comes in in this way.
fn of_everybody(mode: group::LinkMode) -> Record {
    of_owner(group::Record {
        members: vec![member(2, group::Role::Admin), member(3, group::Role::Member)],
        invited: vec![group::Invited { entry: bytes(4), role: group::Role::Reader.into(), by: bytes(OWNER) }],
        requesting: vec![bytes(5)],
        banned: vec![bytes(6)],
        link: Some(group::Link { mode: mode.into(), secret_hash: vec![6; 32].into() }),
        ..group::Record::default()
    })
}

#[test]
fn each_action_gives_one_place_and_leaves_all_others() {
    use Follows::{Commit, Entrance, Generation, Nothing};
    let member = |role| Some(Place::Member(role));
    let invited = |role| Some(Place::Invited { role, by: entry(2) });
    let cases = [
        (1, Action::Add(entry(7), Role::Admin), Commit, 7, member(Role::Admin)),
        (2, Action::Add(entry(4), Role::Member), Commit, 4, member(Role::Member)),
        (2, Action::SetRole(entry(3), Role::Reader), Nothing, 3, member(Role::Reader)),
        (2, Action::Invite(entry(7), Role::Reader), Nothing, 7, invited(Role::Reader)),
        (2, Action::Approve(entry(5), Role::Member), Nothing, 5, invited(Role::Member)),
        (4, Action::Accept, Entrance, 4, member(Role::Reader)),
        (7, Action::Join, Entrance, 7, member(Role::Member)),
        (7, Action::Request, Nothing, 7, Some(Place::Requesting)),
        (4, Action::Decline, Nothing, 4, None),
        (5, Action::Decline, Nothing, 5, None),
        (2, Action::Revoke(entry(4)), Nothing, 4, None),
        (2, Action::Deny(entry(5)), Nothing, 5, None),
        (2, Action::Remove(entry(3)), Generation, 3, None),
        (2, Action::Ban(entry(3)), Generation, 3, Some(Place::Banned)),
        (2, Action::Unban(entry(6)), Nothing, 6, None),
        (3, Action::Leave, Nothing, 3, Some(Place::Left)),
    ];
    for (actor, action, follows, whom, expected) in cases {
        let asks = action == Action::Request;
        let before = of_everybody(if asks { group::LinkMode::Ask } else { group::LinkMode::Join });
        let after = before.apply(&change(&before, entry(actor), vec![action], follows)).unwrap();
        assert!(after.place(&entry(whom)) == expected.as_ref(), "{whom}");
        for other in (0..8).filter(|other| *other != whom).map(entry) {
            assert!(after.place(&other) == before.place(&other));
        }
        assert!(after.rules() == before.rules() && after.link() == before.link());
    }
}

#[test]
fn what_is_set_is_what_the_record_says() {
    let before = of_everybody(group::LinkMode::Join);
    let done = |record: &Record, action| {
        let after = record.apply(&change(record, entry(OWNER), vec![action], Follows::Nothing)).unwrap();
        assert!(after.group_public() == record.group_public() && after.places().count() == record.places().count());
        after
    };
    let handed = done(&before, Action::HandOver(entry(3)));
    assert!(handed.place(&entry(OWNER)) == Some(&Place::Member(Role::Admin)));
    assert!(handed.place(&entry(3)) == Some(&Place::Member(Role::Owner)));

    let rules = Rules { add: Who::Admins, edit: Who::Members, post: Who::Members };
    assert_eq!(done(&before, Action::SetRules(rules)).rules(), rules);
    assert!(done(&before, Action::SetLink(Link::Ask([8; 32]))).link() == &Link::Ask([8; 32]));
    assert!(done(&before, Action::Close).is_closed() && !before.is_closed());

    let (kind, long) = (AttributeKind::Description, Bytes::from(vec![4; 1_024]));
    let titled = done(&before, Action::SetAttribute(AttributeKind::Title, vec![3; 256].into()));
    let said = done(&titled, Action::SetAttribute(kind, long.clone()));
    assert!(said.attribute(kind) == Some(&long) && said.attribute(AttributeKind::Title).is_some());
    let emptied = done(&said, Action::SetAttribute(kind, Bytes::new()));
    assert!(emptied.attribute(kind).is_none() && emptied.attribute(AttributeKind::Title).is_some());
}

/// Only where nobody at all is kept from posting does the key tell enough.
#[test]
fn the_key_tells_enough_where_everybody_posts() {
    let by_key = |post, other| {
        let rules = Some(group::Rules { add: EVERYBODY, edit: EVERYBODY, post });
        of_owner(group::Record { members: vec![member(2, other)], rules, ..group::Record::default() }).posts_by_key()
    };
    assert!(by_key(EVERYBODY, group::Role::Member) && by_key(EVERYBODY, group::Role::Admin));
    assert!(!by_key(EVERYBODY, group::Role::Reader));
    assert!(!by_key(0, group::Role::Member) && !by_key(0, group::Role::Reader));
}

#[test]
fn a_link_is_opened_by_its_secret_alone() {
    let hash = Link::hash(b"the secret");
    for link in [Link::Join(hash), Link::Ask(hash)] {
        assert!(link.is_opened_by(b"the secret"));
        assert!(!link.is_opened_by(b"another") && !link.is_opened_by(b"") && !link.is_opened_by(&hash));
    }
    assert!(!Link::Off.is_opened_by(b"the secret") && !Link::Off.is_opened_by(b""));
}

#[test]
fn a_change_names_all_whom_it_is_about() {
    let named = |actions| by(1, actions).names().copied().collect::<Vec<_>>();
    assert!(named(vec![Action::Leave]) == [entry(1)]);
    let (two, three) = (Action::Ban(entry(2)), Action::Add(entry(3), Role::Member));
    assert!(named(vec![two, Action::Close, three]) == [1, 2, 3].map(entry));
}

#[test]
fn who_comes_with_the_link_has_to_show_it() {
    let by_link = |actions| by(1, actions).is_by_link();
    assert!(by_link(vec![Action::Join]) && by_link(vec![Action::Request]));
    assert!(by_link(vec![Action::Leave, Action::Join]), "whatever he does besides");
    assert!(!by_link(vec![Action::Accept]) && !by_link(vec![Action::SetLink(Link::Off), Action::Leave]));
}

#[test]
fn what_follows_is_what_the_change_says() {
    let all = [Follows::Nothing, Follows::Commit, Follows::Entrance, Follows::Generation, Follows::Restart];
    for said in all {
        for seen in all {
            let change = Change { follows: said, ..by(1, vec![Action::Leave]) };
            // An external commit looks like any other, to who cannot read it.
            let looks = if said == Follows::Entrance { Follows::Commit } else { said };
            assert_eq!(change.follows_as(seen), seen == looks, "{said:?} as {seen:?}");
        }
    }
}

/// As many as may be, of one kind, and one more: those who have left are members until they are settled.
#[test]
fn who_asks_and_who_has_left_counts_too() {
    let many = |count: usize| -> Vec<Bytes> {
        let number = |at: usize| [&[9; 56][..], &(at as u64).to_be_bytes()].concat().into();
        (0..count).map(number).collect()
    };
    let link = Some(group::Link { mode: group::LinkMode::Ask.into(), secret_hash: vec![6; 32].into() });
    let asked = |count| group::Record { requesting: many(count), link: link.clone(), ..group::Record::default() };
    let [last, full] = [199, 200].map(|count| of_owner(asked(count)));
    let ask = |record: &Record| {
        record
            .apply(&change(record, entry(2), vec![Action::Request], Follows::Nothing))
            .map(|next| next.places().count())
    };
    assert_eq!(ask(&last), Ok(201), "the owner, and two hundred who ask");
    assert_eq!(ask(&full), Err(Refused::Full));

    let owner = || vec![member(OWNER, group::Role::Owner)];
    let left = |count| record(group::Record { members: owner(), left: many(count), ..group::Record::default() });
    assert!(left(999).is_some() && left(1_000).is_none());
}

#[test]
fn nobody_is_made_the_owner_but_by_being_handed_the_group() {
    let record = of_owner(group::Record { requesting: vec![bytes(3)], ..group::Record::default() });
    for action in [Action::Add(entry(2), Role::Owner), Action::Invite(entry(2), Role::Owner)] {
        let made = change(&record, entry(OWNER), vec![action], Follows::Commit);
        assert_eq!(record.apply(&made).err(), Some(Refused::Owner));
        assert_eq!(Change::decode(&made.encode().unwrap()).err(), Some(CredentialError::Malformed));
    }
}

#[test]
fn only_a_group_that_is_closed_and_empty_has_no_owner() {
    let is_one = |closed, roles: &[group::Role]| {
        let members = (1..).zip(roles).map(|(number, role)| member(number, *role)).collect();
        record(group::Record { members, closed, ..group::Record::default() }).is_some()
    };
    use group::Role::{Admin, Owner};
    assert!(is_one(true, &[]) && !is_one(false, &[]));
    for closed in [true, false] {
        assert!(is_one(closed, &[Owner, Admin]) && !is_one(closed, &[Admin]) && !is_one(closed, &[Owner, Owner]));
    }
}

#[test]
fn a_link_has_a_hash_where_it_lets_people_in_and_none_where_it_is_off() {
    let read = |mode: i32, length: usize| {
        let link = group::Link { mode, secret_hash: vec![6; length].into() };
        let actions = vec![group::Action { kind: Some(group::action::Kind::SetLink(link)) }];
        let change = group::Change { version: 1, revision: 2, actor: bytes(1), actions, ..group::Change::default() };
        Change::decode(&padding::pad(&change.encode_to_vec(), 0, padding::ENTRY).unwrap()).err()
    };
    for (mode, length) in [(0, 0), (1, 32), (2, 32)] {
        assert_eq!(read(mode, length), None);
        let other = if length == 0 { 32 } else { 0 };
        assert_eq!([read(mode, other), read(mode, 31)], [Some(CredentialError::Malformed); 2]);
    }
    assert_eq!(read(3, 32), Some(CredentialError::Newer));
}

#[test]
fn what_a_group_says_has_one_of_a_few_lengths() {
    let read = |length: usize| {
        let action = Action::SetAttribute(AttributeKind::Title, vec![1; length].into());
        Change::decode(&by(1, vec![action]).encode().unwrap()).err()
    };
    for length in padding::ATTRIBUTE {
        assert_eq!(read(*length), None);
        assert_eq!([read(length - 1), read(length + 1)], [Some(CredentialError::Malformed); 2]);
    }
    assert_eq!(read(0), None, "nothing any more");
}

/// Sixty-four bytes name somebody; whether they are an entry is seen when one comes.
#[test]
fn a_pseudonym_is_the_bytes_of_an_entry() {
    let secret = GroupMasterKey::from_bytes(&[5; 32]).secret();
    let entry = secret.encrypt(&AccountId::new([6; 16]));
    let pseudonym = Pseudonym::from(&entry);
    assert!(pseudonym.as_bytes() == entry.as_bytes() && pseudonym.entry().is_ok_and(|read| read == entry));
    assert!(Pseudonym::try_from(&entry.as_bytes()[..]).is_ok_and(|read| read == pseudonym));
    assert!(Pseudonym::try_from(&entry.as_bytes()[1..]).is_err());
    assert_eq!(Pseudonym::new([0xff; 64]).entry().err(), Some(CredentialError::Element));
}
