//! What comes in a chat's log, and with an invitation to it.

use undertone_e2ee::{
    Arriving, Chat, Generation, Head, Invitation, Lists, Place, Plan, RestartAt, Suite, open_head, seal_head,
};
use undertone_wire::{
    ChannelId, Message as _, Position,
    channel::{Entry, EntryKind},
    content::{self, Seen},
};

use crate::{
    Target,
    people::{Person, TODAY},
};

pub const BODIES: Target = Target { name: "bodies", run: bodies, seeds: some_bodies, cost: 384 };
pub const ENTRIES: Target = Target { name: "entries", run: entries, seeds: some_entries, cost: 48 };
pub const INVITATIONS: Target = Target { name: "invitations", run: invitations, seeds: some_invitations, cost: 32 };
pub const HEADS: Target = Target { name: "heads", run: heads, seeds: some_heads, cost: 96 };

const CHANNEL: ChannelId = ChannelId::new([9; 16]);
const SECRET: [u8; 32] = [5; 32];
const PLACE: Place = Place {
    channel: CHANNEL,
    kind: EntryKind::Message,
    position: Position { incarnation: 0, epoch: 1 },
    expiry_day: TODAY,
};

/// Ana and Bo, who have a chat, and what Ana has written in it.
struct World {
    bo: Person,
    ana: Person,
    invitation: Invitation,
    /// The way into it.
    head: Head,
    /// (kind, keys that it installs, `EntryContent`)
    written: Vec<(EntryKind, Vec<u8>, Vec<u8>)>,
}

thread_local! {
    /// Bo is in the chat.
    static JOINED: Option<World> = World::new(true);
    /// He is invited.
    static INVITED: Option<World> = World::new(false);
}

impl World {
    fn new(joined: bool) -> Option<Self> {
        let (ana, bo) = (Person::new(1)?, Person::new(2)?);
        let package = bo.key_package(Suite::PostQuantum, false)?;
        let peers = [(&bo.list, &package)];
        let (mut chat, invitation) = ana.act(|me| Chat::create(me, CHANNEL, Suite::PostQuantum, &peers))?;
        let invitation = invitation?;
        if joined {
            bo.act(|me| {
                let lists = Lists::from_iter([&ana.list, &bo.list]);
                Chat::join(me, CHANNEL, 0, &invitation.welcome, &invitation.tree, &lists).map(drop)
            })?;
        }
        let lists = Lists::from_iter([&ana.list, &bo.list]);
        let mut written = Vec::new();
        let message = ana.act(|me| chat.encrypt(me, b"hello", &seen()))?;
        written.push((EntryKind::Message, Vec::new(), message.to_vec()));
        let newer = ana.list.next(&ana.identity, ana.list.devices().to_vec()).ok()?;
        for plan in [
            Plan::default(),
            Plan { generation: true, ..Plan::default() },
            Plan { lists: vec![&newer], ..Plan::default() },
        ] {
            let made = ana.act(|me| chat.commit(me, &plan, &lists, &seen()))?;
            ana.act(|me| chat.discard_pending(me))?;
            let installs = made.generation.map(|generation| generation.installs().to_vec());
            written.push((EntryKind::Commit, installs.unwrap_or_default(), made.entry.to_vec()));
        }
        let again = bo.key_package(Suite::PostQuantum, true)?;
        let plan = Plan { adds: vec![(&bo.list, &again)], ..Plan::default() };
        let restart = ana.act(|me| Chat::restart(me, &AT, Suite::PostQuantum, &plan, &lists, &seen()))?;
        let installs = restart.generation.map(|generation| generation.installs().to_vec());
        written.push((EntryKind::Restart, installs.unwrap_or_default(), restart.entry.to_vec()));
        let current = Generation::from_secret(SECRET);
        let made = ana.act(|me| chat.commit_with_head(me, &Plan::default(), &current, &lists, &seen()))?;
        Some(Self { ana, bo, invitation, head: made.1, written })
    }
}

const AT: RestartAt = RestartAt { channel: CHANNEL, group: 1, position: Position { incarnation: 0, epoch: 1 } };

fn seen() -> Seen {
    Seen { seq: 3, chain: vec![1; 32].into(), signature: vec![2; 64].into(), ..Seen::default() }
}

/// A body of the log; and a content, wrapped.
fn bodies(data: &[u8]) {
    let generation = Generation::from_secret(SECRET);
    let _ = generation.unwrap(&PLACE, data);
    JOINED.with(|world| {
        let Some(world) = world else { return };
        if let Ok(body) = generation.wrap(&PLACE, data, &mut world.ana.rng()) {
            let opened = generation.unwrap(&PLACE, &body);
            assert!(opened.is_ok_and(|opened| opened[..] == *data), "a body reads otherwise");
        }
    });
}

fn some_bodies() -> Option<Vec<Vec<u8>>> {
    let rng = &mut Person::new(1)?.rng();
    let wrap = |length: usize, rng: &mut _| Generation::from_secret(SECRET).wrap(&PLACE, &vec![1; length], rng).ok();
    [0, 100, 1_000, 5_000].into_iter().map(|length| wrap(length, rng).map(|body| body.to_vec())).collect()
}

/// An entry whose wrap is open (its content in place of the body), received by Bo; a restart too.
fn entries(data: &[u8]) {
    let Ok(entry) = Entry::decode(data) else { return };
    JOINED.with(|world| {
        let Some(World { ana, bo, .. }) = world else { return };
        let lists = Lists::from_iter([&ana.list, &bo.list]);
        let arriving = Arriving { kind: entry.kind(), installs: &entry.installs, content: &entry.body };
        let _ = bo.attempt(|me| match arriving.kind {
            EntryKind::Restart => Chat::receive_restart(me, &AT, &arriving, &lists).map(drop),
            _ => match Chat::load(me, CHANNEL, 0)? {
                Some(mut chat) => chat.receive(me, &arriving, &lists).map(drop),
                None => Ok(()),
            },
        });
    });
}

fn some_entries() -> Option<Vec<Vec<u8>>> {
    let entry = |(kind, installs, content): (EntryKind, Vec<u8>, Vec<u8>)| {
        let entry = Entry { kind: kind.into(), installs: installs.into(), body: content.into(), ..Entry::default() };
        entry.encode_to_vec()
    };
    Some(World::new(true)?.written.into_iter().map(entry).collect())
}

/// Welcome and tree, by which Bo joins.
fn invitations(data: &[u8]) {
    let Ok(invitation) = content::Invitation::decode(data) else { return };
    INVITED.with(|world| {
        let Some(World { ana, bo, .. }) = world else { return };
        let lists = Lists::from_iter([&ana.list, &bo.list]);
        let _ = bo.attempt(|me| Chat::join(me, CHANNEL, 0, &invitation.welcome, &invitation.tree, &lists).map(drop));
    });
}

fn some_invitations() -> Option<Vec<Vec<u8>>> {
    let Invitation { welcome, tree } = World::new(false)?.invitation;
    Some(vec![content::Invitation { welcome, tree, ..Default::default() }.encode_to_vec()])
}

/// A head slot; and what is in one, by which Bo comes back.
fn heads(data: &[u8]) {
    let _ = open_head(&SECRET, CHANNEL, PLACE.position, data);
    let Ok(slot) = content::HeadSlot::decode(data) else { return };
    let content::HeadSlot { group_info, tree, generation_secret, place } = slot;
    let secret = generation_secret.first_chunk().copied().unwrap_or_default();
    let place = place.unwrap_or_default();
    let head = Head { group_info, tree, generation: Generation::from_secret(secret), place };
    JOINED.with(|world| {
        let Some(World { ana, bo, .. }) = world else { return };
        let lists = Lists::from_iter([&ana.list, &bo.list]);
        let _ = bo.attempt(|me| Chat::rejoin(me, (CHANNEL, 0), &head, &[], &lists, &seen()).map(drop));
    });
}

fn some_heads() -> Option<Vec<Vec<u8>>> {
    let World { ana, head, .. } = World::new(true)?;
    let sealed = seal_head(&SECRET, CHANNEL, PLACE.position, &head, &mut ana.rng()).ok()?;
    let Head { group_info, tree, generation, place } = head;
    let generation_secret = generation.secret().to_vec().into();
    let slot = content::HeadSlot { group_info, tree, generation_secret, place: Some(place) };
    Some(vec![sealed.to_vec(), slot.encode_to_vec()])
}
