//! What a service can do that it should not, behind one of its doors: hold pushes back, change what it shows of logs, show
//! heads from before, and of groups what others were. Other channels behind another door ([`super::service::Service::part`]) are the greater lie.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;
use undertone_wire::{
    Message as _, Now,
    channel::{Channel, Head, LogPush, ReadHeadSlotRequest, ReadRecordRequest, ReadReply, ReadRequest},
    circuit::Fault,
    rpc::{Answer, Dispatch, Encoded, Method as _, OpenPushes, PushQueue, Pushes, Service},
};

/// Cheats behind one door.
#[derive(Default)]
pub struct Cheat(Mutex<Option<Lies>>);

struct Lies {
    rng: ChaCha20Rng,
    /// A head of before, shown again.
    old: Option<Head>,
    /// What was said of groups before, by method.
    replies: BTreeMap<u32, Bytes>,
    told: u64,
}

/// One lie about a log.
#[derive(Clone, Copy)]
enum Lie {
    Withhold,
    Swap,
    Alter,
    Drop,
    Cut,
    OldHead,
}

const LIES: [Lie; 6] = [Lie::Withhold, Lie::Swap, Lie::Alter, Lie::Drop, Lie::Cut, Lie::OldHead];

impl Cheat {
    /// From now on lies now and then.
    pub fn begin(&self, rng: ChaCha20Rng) {
        *self.lies() = Some(Lies { rng, old: None, replies: BTreeMap::new(), told: 0 });
    }

    /// From now on tells the truth. Returns how many lies there were.
    pub fn end(&self) -> u64 {
        self.lies().take().map_or(0, |lies| lies.told)
    }

    fn lies(&self) -> MutexGuard<'_, Option<Lies>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lies {
    fn draw(&mut self) -> Option<Lie> {
        let lie = self.rng.random_bool(0.3).then(|| LIES.get(self.rng.random_range(0..LIES.len())).copied()).flatten();
        self.told += u64::from(lie.is_some());
        lie
    }

    /// What is said of a group's record, or of the way in: now and then what was said of one before, or nothing.
    fn tell_of_group(&mut self, method: u32, reply: Bytes) -> Bytes {
        let before = self.replies.insert(method, reply.clone()).unwrap_or_default();
        match self.rng.random_range(0..10) {
            0..=2 => before,
            3 => Bytes::new(),
            _ => reply,
        }
    }

    fn change(&mut self, lie: Lie, reply: &mut ReadReply) {
        match (lie, reply.entries.as_mut_slice()) {
            (Lie::Withhold, _) => reply.entries.clear(),
            (Lie::Swap, [one, two, ..]) => {
                std::mem::swap(one, two);
                std::mem::swap(&mut one.seq, &mut two.seq);
            }
            (Lie::Alter, [one, ..]) => one.body = one.body.iter().map(|byte| byte ^ 1).collect(),
            (Lie::Drop, [_, _, ..]) => drop(reply.entries.remove(0)),
            (Lie::Cut, [.., last]) => last.body = last.body.slice(..last.body.len() / 2),
            (Lie::OldHead, _) => {
                let before = self.old.replace(reply.head.clone().unwrap_or_default());
                if let Some(before) =
                    before.filter(|before| Some(&before.channel) == reply.head.as_ref().map(|head| &head.channel))
                {
                    reply.entries.retain(|entry| entry.seq <= before.seq);
                    reply.head = Some(before);
                }
            }
            _ => {}
        }
    }
}

/// Answers as another does, but for the lies.
pub struct Cheating<H> {
    /// Who would tell the truth.
    pub honest: H,
    /// What is told instead.
    pub cheat: Arc<Cheat>,
}

impl<S: Service, H: Dispatch<S>> Dispatch<S> for Cheating<H> {
    async fn dispatch(&self, now: Now, method: u32, body: Bytes, pushes: OpenPushes) -> Result<Answer, Fault> {
        if S::KIND != Channel::KIND {
            return self.honest.dispatch(now, method, body, pushes).await;
        }
        let through = Through { pushes: pushes.typed(), cheat: self.cheat.clone() };
        let answer = self.honest.dispatch(now, method, body, OpenPushes::new(Arc::new(through), 1)).await?;
        let Answer::Reply(reply) = &answer else { return Ok(answer) };
        let mut lies = self.cheat.lies();
        let Some(lies) = lies.as_mut() else { return Ok(answer) };
        if [ReadRecordRequest::NUMBER, ReadHeadSlotRequest::NUMBER].contains(&method) {
            return Ok(Answer::Reply(lies.tell_of_group(method, reply.clone())));
        }
        if method != ReadRequest::NUMBER {
            return Ok(answer);
        }
        let (Some(lie), Ok(mut reply)) = (lies.draw(), ReadReply::decode(reply.clone())) else { return Ok(answer) };
        lies.change(lie, &mut reply);
        Ok(Answer::Reply(reply.encode_to_vec().into()))
    }
}

/// Pushes on their way through a liar.
struct Through {
    pushes: Pushes<LogPush>,
    cheat: Arc<Cheat>,
}

impl PushQueue for Through {
    fn push(&self, _: u32, body: Bytes) -> bool {
        let mut lies = self.cheat.lies();
        let (Some(lies), Ok(mut push)) = (lies.as_mut(), LogPush::decode(body.clone())) else {
            return self.pushes.send(&Encoded::new(&LogPush::decode(body).unwrap_or_default()));
        };
        match lies.draw() {
            None => {}
            // Never seen by whoever is listening.
            Some(Lie::Withhold) => return true,
            Some(lie) => {
                let mut reply = ReadReply { entries: std::mem::take(&mut push.entries), head: push.head.take() };
                lies.change(lie, &mut reply);
                (push.entries, push.head) = (reply.entries, reply.head);
            }
        }
        self.pushes.send(&Encoded::new(&push))
    }
}
