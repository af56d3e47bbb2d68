//! What a member's own program can write that it should not, in the name of an honest one: before what that appends, noise
//! as a commit or as a message, what it has written before under fresh ids, a message as if it were a commit, and keys for
//! the channel that nobody has; before a change of a group, changes that nobody has shown himself for. What only somebody with the keys of a chat can make is told in the client's stories
//! (`hostile_peer`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rand::{Rng as _, RngExt as _};
use rand_chacha::ChaCha20Rng;
use undertone_credentials::{ReadKey, WriteKey};
use undertone_wire::{
    Message as _, Now,
    channel::{AppendRequest, ChangeGroupRequest, Channel, EntryKind, NewEntry},
    circuit::Fault,
    rpc::{Answer, Dispatch, Method as _, OpenPushes, PushQueue, Service},
};

/// Spoils what goes in by one door.
#[derive(Default)]
pub struct Spoiler(Mutex<Option<Spoils>>);

struct Spoils {
    rng: ChaCha20Rng,
    /// Something that was written before.
    before: Option<NewEntry>,
    /// A change of a group that was asked for before.
    change: Option<ChangeGroupRequest>,
    written: u64,
}

impl Spoiler {
    /// From now on writes along now and then.
    pub fn begin(&self, rng: ChaCha20Rng) {
        *self.spoils() = Some(Spoils { rng, before: None, change: None, written: 0 });
    }

    /// From now on writes nothing. Returns how often it has.
    pub fn end(&self) -> u64 {
        self.spoils().take().map_or(0, |spoils| spoils.written)
    }

    fn spoils(&self) -> MutexGuard<'_, Option<Spoils>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spoils {
    /// What is appended before a request.
    fn draw(&mut self, request: &AppendRequest) -> Option<AppendRequest> {
        let entry = request.entries.first()?.clone();
        let before = self.before.replace(entry.clone());
        if !self.rng.random_bool(0.3) {
            return None;
        }
        let idempotency_id = self.noise(entry.idempotency_id.len());
        let plain = NewEntry { installs: Bytes::new(), slot_hash: Bytes::new(), idempotency_id, ..entry };
        let noise = self.noise(plain.body.len());
        let commit = i32::from(EntryKind::Commit);
        let wrong = match self.rng.random_range(0..5) {
            0 => NewEntry { kind: commit, body: noise, ..plain },
            1 => NewEntry { kind: EntryKind::Message.into(), body: noise, ..plain },
            2 => NewEntry { kind: commit, ..plain },
            3 => NewEntry { body: before?.body, ..plain },
            _ => {
                let (read, write) = (ReadKey::generate(&mut self.rng), WriteKey::generate(&mut self.rng));
                let installs = [*read.public().as_bytes(), *write.public().as_bytes()].concat().into();
                NewEntry { kind: commit, body: noise, installs, ..plain }
            }
        };
        self.written += 1;
        Some(AppendRequest { entries: vec![wrong], ..request.clone() })
    }

    /// The change that is asked for before another: what nobody has shown himself for, or what was asked for before.
    fn draw_change(&mut self, request: &ChangeGroupRequest) -> Option<ChangeGroupRequest> {
        let before = self.change.replace(request.clone());
        if !self.rng.random_bool(0.3) {
            return None;
        }
        self.written += 1;
        let (change, commit) = (request.change.clone()?, request.commit.clone());
        let noise = self.noise(change.body.len());
        Some(match self.rng.random_range(0..4) {
            0 => ChangeGroupRequest { change: Some(NewEntry { body: noise, ..change }), ..request.clone() },
            1 => ChangeGroupRequest { commit: None, ..request.clone() },
            2 => ChangeGroupRequest {
                commit: commit.map(|commit| NewEntry { body: self.noise(commit.body.len()), ..commit }),
                ..request.clone()
            },
            _ => before?,
        })
    }

    fn noise(&mut self, length: usize) -> Bytes {
        let mut noise = vec![0; length];
        self.rng.fill_bytes(&mut noise);
        noise.into()
    }
}

/// Answers as another does, after what the spoiler has written.
pub struct Spoiling<H> {
    /// Who answers.
    pub handler: H,
    /// Who writes along.
    pub spoiler: Arc<Spoiler>,
}

impl<S: Service, H: Dispatch<S>> Dispatch<S> for Spoiling<H> {
    async fn dispatch(&self, now: Now, method: u32, body: Bytes, pushes: OpenPushes) -> Result<Answer, Fault> {
        if S::KIND == Channel::KIND
            && let Some(wrong) = self.wrong(method, &body)
        {
            let nobody = OpenPushes::new(Arc::new(Nobody), 0);
            // Whether it was taken, nobody asks.
            let _ = self.handler.dispatch(now, method, wrong, nobody).await;
        }
        self.handler.dispatch(now, method, body, pushes).await
    }
}

impl<H> Spoiling<H> {
    fn wrong(&self, method: u32, body: &Bytes) -> Option<Bytes> {
        let mut spoils = self.spoiler.spoils();
        let spoils = spoils.as_mut()?;
        let wrong = match method {
            AppendRequest::NUMBER => spoils.draw(&AppendRequest::decode(body.clone()).ok()?)?.encode_to_vec(),
            ChangeGroupRequest::NUMBER => {
                spoils.draw_change(&ChangeGroupRequest::decode(body.clone()).ok()?)?.encode_to_vec()
            }
            _ => return None,
        };
        Some(wrong.into())
    }
}

/// Hears no pushes.
struct Nobody;

impl PushQueue for Nobody {
    fn push(&self, _: u32, _: Bytes) -> bool {
        false
    }
}
