//! Groups: people whom the service does not know, and what it lets them do.

mod actions;
mod hostile;
mod large;
mod posting;
mod races;
mod reading;

use std::sync::LazyLock;

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use sha2::{Digest as _, Sha256};
use undertone_credentials::{
    Credential, CredentialKey, GroupMasterKey, GroupSecret, IssuingKey,
    group::{Action, Change, Follows, Pseudonym, Record, Role, Rules, Who},
    verify_change,
};
use undertone_service::ChannelSession;
use undertone_store::Channels as _;
use undertone_wire::{
    AccountId, Day, HandshakeHash, Now,
    channel::{
        ChangeGroupReply, ChangeGroupRequest, ChannelHandler, Entry, EntryKind, NewEntry, PresentReply, PresentRequest,
        ReadRecordRequest, Refusal, change_group_reply,
    },
    circuit::Fault,
    presented::Presented,
};

use crate::people::{Channels, ISSUING, Keys, NOW, TODAY, World, entry};

pub type Session = ChannelSession<Channels>;

/// As the service has it.
static KEY: LazyLock<CredentialKey> = LazyLock::new(|| IssuingKey::from_seed(&ISSUING).credential_key());

pub const OPEN: Rules = Rules { add: Who::Members, edit: Who::Members, post: Who::Members };

/// Somebody with an account, on a circuit of his own.
pub struct Somebody {
    pub whom: Pseudonym,
    pub credential: Credential,
    pub circuit: HandshakeHash,
    pub session: Session,
    secret: GroupSecret,
}

/// A group, as those know it who have its keys.
pub struct Group {
    pub world: World,
    /// Of the current generation.
    pub keys: Keys,
    pub record: Record,
    pub epoch: u64,
    pub incarnation: u32,
    /// Counts what is appended.
    number: u8,
    /// A second goes by with each change, so that they keep their pace.
    now: Now,
}

pub fn credential(account: AccountId, day: Day) -> Credential {
    let issued = KEY.issue(account, day, &mut ChaCha20Rng::from_seed([3; 32]));
    Credential::receive(KEY.public(), account, day, &issued).unwrap()
}

pub fn secret() -> GroupSecret {
    GroupMasterKey::from_bytes(&[4; 32]).secret()
}

impl Somebody {
    /// Shows himself for a request, on a circuit.
    pub fn shows<R: Presented>(&self, circuit: &HandshakeHash, mut request: R) -> R {
        let binding = request.bound_to(circuit);
        let rng = &mut ChaCha20Rng::from_seed([5; 32]);
        *request.presentation_mut() = self.credential.present(KEY.public(), &self.secret, &binding, rng).into();
        request
    }

    pub fn presenting(&self, keys: &Keys) -> PresentRequest {
        let request = PresentRequest {
            channel: keys.channel.into(),
            entry: Bytes::copy_from_slice(self.whom.as_bytes()),
            day: TODAY.0,
            ..PresentRequest::default()
        };
        self.shows(&self.circuit, request)
    }

    pub async fn presents(&self, keys: &Keys) -> Result<PresentReply, Fault> {
        self.session.present(NOW, self.presenting(keys)).await
    }

    /// Opens the channel by its keys.
    pub async fn opens(&self, keys: &Keys, to_write: bool) {
        let openings = vec![keys.opening(&self.circuit, to_write)];
        let request = undertone_wire::channel::OpenRequest { openings };
        let reply = self.session.open(NOW, request).await.unwrap();
        assert!(crate::people::head(reply.opened[0].result.clone()).is_some());
    }
}

impl Group {
    /// A group with an owner, who is number 0.
    pub async fn new(rules: Rules) -> (Self, Somebody) {
        let world = World::open();
        let keys = world.channel(1).await;
        let create = Action::Create { group_public: *secret().public().as_bytes(), rules };
        let owner = somebody(&world, 0);
        owner.opens(&keys, true).await;
        let change = Change { revision: 1, actor: owner.whom, actions: vec![create], follows: Follows::Nothing };
        let record = Record::create(&change).unwrap();
        let mut group = Self { world, keys, record, epoch: 0, incarnation: 0, number: 0, now: NOW };
        let request = owner.shows(&owner.circuit, group.request(&change, None));
        assert_eq!(outcome(owner.session.change_group(NOW, request).await), "done");
        (group, owner)
    }

    /// The same with a member (1), a reader (2) and an admin (3).
    pub async fn with_all_roles(rules: Rules) -> (Self, [Somebody; 4]) {
        let (mut group, owner) = Self::new(rules).await;
        let others = [1, 2, 3].map(|number| group.somebody(number));
        let [member, reader, admin] = &others;
        let add = vec![
            Action::Add(member.whom, Role::Member),
            Action::Add(reader.whom, Role::Reader),
            Action::Add(admin.whom, Role::Admin),
        ];
        assert_eq!(group.does(&owner, add, Follows::Commit).await, "done");
        let [member, reader, admin] = others;
        (group, [owner, member, reader, admin])
    }

    /// Somebody of this number, on a fresh circuit.
    pub fn somebody(&self, number: u8) -> Somebody {
        somebody(&self.world, number)
    }

    /// An entry at the current position.
    pub fn entry(&mut self, kind: EntryKind) -> NewEntry {
        self.number = self.number.wrapping_add(1);
        NewEntry { incarnation: self.incarnation, ..entry(kind, self.epoch, self.number) }
    }

    /// What stands behind a change, and the keys that it installs.
    pub fn following(&mut self, follows: Follows) -> (Option<NewEntry>, Option<Keys>) {
        let kind = match follows {
            Follows::Nothing => return (None, None),
            Follows::Restart => EntryKind::Restart,
            _ => EntryKind::Commit,
        };
        let entry = self.entry(kind);
        match follows {
            Follows::Commit | Follows::Entrance => (Some(entry), None),
            _ => {
                let next = self.keys.next(self.number.wrapping_add(50));
                (Some(NewEntry { installs: next.installs(), ..entry }), Some(next))
            }
        }
    }

    pub fn change(&self, by: &Somebody, actions: Vec<Action>, follows: Follows) -> Change {
        Change { revision: self.record.revision() + 1, actor: by.whom, actions, follows }
    }

    /// A change as it is asked for, but for the presentation.
    pub fn request(&mut self, change: &Change, commit: Option<NewEntry>) -> ChangeGroupRequest {
        let body = change.encode().unwrap();
        let entry = NewEntry { expiry_day: 0, body, ..self.entry(EntryKind::Change) };
        let channel = self.keys.channel.into();
        ChangeGroupRequest { channel, change: Some(entry), commit, day: TODAY.0, ..ChangeGroupRequest::default() }
    }

    /// Somebody does something, and shows that he is himself.
    pub async fn does(&mut self, by: &Somebody, actions: Vec<Action>, follows: Follows) -> String {
        self.does_with(by, actions, follows, &[]).await
    }

    /// Likewise, with the secret of a link.
    pub async fn does_with(&mut self, by: &Somebody, actions: Vec<Action>, follows: Follows, link: &[u8]) -> String {
        let change = self.change(by, actions, follows);
        let (commit, keys) = self.following(follows);
        let request = ChangeGroupRequest { link_secret: Bytes::copy_from_slice(link), ..self.request(&change, commit) };
        let request = by.shows(&by.circuit, request);
        self.now = self.now.plus_ms(1_000);
        let outcome = outcome(by.session.change_group(self.now, request).await);
        if outcome == "done" {
            self.record = self.record.apply(&change).unwrap();
            self.moved(follows, keys);
        }
        outcome
    }

    /// Takes note of what a commit has done.
    pub fn moved(&mut self, follows: Follows, keys: Option<Keys>) {
        match follows {
            Follows::Nothing => {}
            Follows::Restart => (self.incarnation, self.epoch) = (self.incarnation + 1, 0),
            _ => self.epoch += 1,
        }
        if let Some(keys) = keys {
            self.keys = keys;
        }
    }

    /// Everything that stands in the log.
    pub async fn log(&self) -> Vec<Entry> {
        let read = self.world.channel_store.read_after(self.keys.channel, 0, u32::MAX, usize::MAX, TODAY);
        read.await.unwrap().unwrap()
    }

    /// That whoever replays the changes of the log has the record that the service has; and that each is countersigned.
    pub async fn is_replayed(&self) {
        let log = self.log().await;
        let changes = log.iter().filter(|entry| entry.kind() == EntryKind::Change);
        let changes: Vec<_> =
            changes.map(|entry| verify_change(&self.world.head_key, self.keys.channel, entry).ok().unwrap()).collect();
        let (first, rest) = changes.split_first().unwrap();
        let replayed = rest.iter().fold(Record::create(first).unwrap(), |record, change| record.apply(change).unwrap());
        assert!(replayed == self.record && replayed.hash() == self.record.hash());
        let kept = self.world.channel_store.record(self.keys.channel).await.unwrap().unwrap();
        assert!(kept.encoded == replayed.encode() && kept.revision == replayed.revision());
    }
}

fn somebody(world: &World, number: u8) -> Somebody {
    let account = AccountId::new([number; 16]);
    let (circuit, session) = world.channel_circuit();
    let whom = Pseudonym::from(&secret().encrypt(&account));
    Somebody { whom, credential: credential(account, TODAY), circuit, session, secret: secret() }
}

/// The result of a change, as far as it is one line.
pub fn outcome(reply: Result<ChangeGroupReply, Fault>) -> String {
    match reply.map(|reply| reply.result.unwrap()) {
        Ok(change_group_reply::Result::Appended(_)) => "done".into(),
        Ok(change_group_reply::Result::Stale(stale)) => {
            let head = stale.head.unwrap();
            format!("stale at {}.{}, revision {}", head.incarnation, head.epoch, stale.revision)
        }
        Ok(change_group_reply::Result::Conflict(_)) => "conflict".into(),
        Ok(change_group_reply::Result::Refused(refusal)) => Refusal::try_from(refusal).unwrap().as_str_name().into(),
        Err(fault) => fault.code().as_str_name().into(),
    }
}

pub fn reading(keys: &Keys, link_secret: &[u8]) -> ReadRecordRequest {
    ReadRecordRequest { channel: keys.channel.into(), link_secret: Bytes::copy_from_slice(link_secret) }
}

pub fn sha256(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&Sha256::digest(bytes))
}
