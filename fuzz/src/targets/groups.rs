//! Groups: what stands in their logs and beside them, and who is shown to stand behind it.

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_credentials::{
    Credential, CredentialKey, GroupMasterKey, GroupSecret, MemberEntry,
    group::{Action, AttributeKind, Change, Follows, Link, Pseudonym, Record, Role, Rules, Who},
};
use undertone_wire::{AccountId, padding};

use crate::{Target, people::TODAY};

pub const CHANGES: Target = Target { name: "changes", run: changes, seeds: some_changes, cost: 4 };
pub const RECORDS: Target = Target { name: "records", run: records, seeds: some_records, cost: 4 };
pub const ENTRIES: Target = Target { name: "member-entries", run: entries, seeds: some_entries, cost: 8 };
pub const ISSUED: Target = Target { name: "issued-credentials", run: issued, seeds: some_issued, cost: 64 };
pub const KEPT: Target = Target { name: "kept-credentials", run: kept, seeds: some_kept, cost: 4 };
pub const PRESENTATIONS: Target =
    Target { name: "presentations", run: presentations, seeds: some_presentations, cost: 64 };

const ANA: AccountId = AccountId::new([1; 16]);
const BO: AccountId = AccountId::new([2; 16]);
const BINDING: [u8; 32] = [7; 32];

thread_local! {
    static WORLD: Option<World> = World::new();
    /// A group's records, from its first to its last.
    static STORY: Vec<Record> = WORLD.with(|world| world.as_ref().and_then(records_of)).unwrap_or_default();
}

/// A service's key, a group, what was issued to one of its members and what she shows.
struct World {
    key: CredentialKey,
    group: GroupSecret,
    entry: MemberEntry,
    issued: Vec<u8>,
    kept: Vec<u8>,
    presented: Vec<u8>,
}

impl World {
    fn new() -> Option<Self> {
        let rng = &mut ChaCha20Rng::from_seed([3; 32]);
        let key = CredentialKey::from_seed(&[4; 32]);
        let group = GroupMasterKey::generate(rng).secret();
        let issued = key.issue(ANA, TODAY, rng);
        let credential = Credential::receive(key.public(), ANA, TODAY, &issued).ok()?;
        let presented = credential.present(key.public(), &group, &BINDING, rng);
        let (entry, kept) = (group.encrypt(&ANA), credential.to_bytes().to_vec());
        Some(Self { key, group, entry, issued, kept, presented })
    }

    fn pseudonym(&self, account: &AccountId) -> Pseudonym {
        Pseudonym::from(&self.group.encrypt(account))
    }
}

fn with_world(act: impl Fn(&World)) {
    WORLD.with(|world| world.iter().for_each(act));
}

/// An entry of the log that changes a group: what was read says the same when it is written again, and makes no record that
/// could not be read.
fn changes(data: &[u8]) {
    let Ok(change) = Change::decode(data) else { return };
    if let Ok(again) = change.encode() {
        assert!(
            Change::decode(&again).is_ok_and(|again| again == change),
            "a change reads otherwise when it is written again"
        );
    }
    for record in some_records().iter().flatten() {
        let Ok(record) = Record::decode(record) else { continue };
        for after in [record.apply(&change), Record::create(&change)].into_iter().flatten() {
            let encoded = after.encode();
            assert!(
                Record::decode(&encoded).is_ok_and(|again| again == after),
                "a change makes a record that nobody can read"
            );
            assert!(after.revision() == change.revision, "a record has another revision than its change");
        }
    }
}

/// What a group's first members do to it.
fn story(world: &World) -> Vec<Change> {
    let (ana, bo) = (world.pseudonym(&ANA), world.pseudonym(&BO));
    let rules = Rules { add: Who::Members, edit: Who::Members, post: Who::Members };
    let create = Action::Create { group_public: *world.group.public().as_bytes(), rules };
    let title = padding::ATTRIBUTE.first().map(|size| Bytes::from(vec![5; *size])).unwrap_or_default();
    let mut changes = Vec::new();
    let steps = [
        (ana, vec![create], Follows::Nothing),
        (ana, vec![Action::Add(bo, Role::Member)], Follows::Commit),
        (bo, vec![Action::SetAttribute(AttributeKind::Title, title)], Follows::Nothing),
        (ana, vec![Action::SetLink(Link::Off), Action::SetRole(bo, Role::Admin)], Follows::Nothing),
        (bo, vec![Action::Leave], Follows::Nothing),
        (ana, vec![Action::Settle], Follows::Generation),
        (ana, vec![Action::Ban(bo)], Follows::Generation),
        (ana, vec![Action::Close], Follows::Nothing),
    ];
    for (revision, (actor, actions, follows)) in (1..).zip(steps) {
        changes.push(Change { revision, actor, actions, follows });
    }
    changes
}

fn some_changes() -> Option<Vec<Vec<u8>>> {
    story(&World::new()?).iter().map(|change| change.encode().ok().map(Vec::from)).collect()
}

/// What a service shows as a group's record.
fn records(data: &[u8]) {
    let Ok(record) = Record::decode(data) else { return };
    assert!(record.encode()[..] == *data, "a record has two forms");
    let owners = record.members().filter(|(_, role)| *role == Role::Owner).count();
    assert!(owners == 1 || record.is_closed(), "a group without its one owner");
}

fn records_of(world: &World) -> Option<Vec<Record>> {
    let changes = story(world);
    let (first, others) = changes.split_first()?;
    let mut records = vec![Record::create(first).ok()?];
    for change in others {
        records.push(records.last()?.apply(change).ok()?);
    }
    Some(records)
}

fn some_records() -> Option<Vec<Vec<u8>>> {
    Some(records_of(&World::new()?)?.iter().map(|record| record.encode().to_vec()).collect())
}

/// Bytes that are said to encrypt somebody.
fn entries(data: &[u8]) {
    let Ok(entry) = MemberEntry::try_from(data) else { return };
    assert!(entry.as_bytes()[..] == *data, "an entry has two forms");
    with_world(|world| {
        if let Ok(account) = world.group.decrypt(&entry) {
            assert!(world.group.encrypt(&account) == entry, "somebody has two entries in a group");
        }
    });
}

fn some_entries() -> Option<Vec<Vec<u8>>> {
    let world = World::new()?;
    let other = GroupMasterKey::from_bytes(&[8; 32]).secret().encrypt(&ANA);
    Some([world.entry, world.group.encrypt(&BO), other].map(|entry| entry.as_bytes().to_vec()).into())
}

/// What a service issues: nobody else does.
fn issued(data: &[u8]) {
    with_world(|world| {
        let good = Credential::receive(world.key.public(), ANA, TODAY, data).is_ok();
        assert!(good == (world.issued == data), "a credential that was not issued is taken");
    });
}

fn some_issued() -> Option<Vec<Vec<u8>>> {
    Some(vec![World::new()?.issued])
}

/// What a client has kept.
fn kept(data: &[u8]) {
    if let Ok(credential) = Credential::from_bytes(data) {
        assert!(credential.to_bytes()[..] == *data, "a credential has two forms");
    }
}

fn some_kept() -> Option<Vec<Vec<u8>>> {
    Some(vec![World::new()?.kept])
}

/// What somebody shows to the service: nobody makes one without a credential.
fn presentations(data: &[u8]) {
    with_world(|world| {
        let good = world.key.verify(&world.group.public(), &world.entry, TODAY, &BINDING, data).is_ok();
        assert!(good == (world.presented == data), "a presentation that nobody made is good");
    });
}

fn some_presentations() -> Option<Vec<Vec<u8>>> {
    Some(vec![World::new()?.presented])
}
