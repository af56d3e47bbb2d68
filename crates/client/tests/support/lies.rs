//! What a service may say instead of the truth.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use undertone_wire::{
    Message, Now,
    channel::LogPush,
    circuit::{Code, Fault, Kind},
    rpc::{Answer, Call, Dispatch, Encoded, Method, OpenPushes, PushQueue, Pushes, Service},
};

type Lie = Arc<dyn Fn(&[u8], Bytes) -> Result<Bytes, Fault> + Send + Sync>;
type PushLie = Arc<dyn Fn(&mut LogPush) -> bool + Send + Sync>;
type Refusal = Arc<dyn Fn(&[u8]) -> Option<Fault> + Send + Sync>;
type Watcher = Arc<dyn Fn(Kind, u32, &[u8]) + Send + Sync>;
type CircuitWatcher = Arc<dyn Fn(u64, Kind, u32, &[u8]) + Send + Sync>;
type Garble = Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>;

/// Lies that a service tells at present, by method.
#[derive(Default)]
pub struct Lies {
    replies: Mutex<HashMap<(Kind, u32), Lie>>,
    refusals: Mutex<HashMap<(Kind, u32), Refusal>>,
    pushes: Mutex<Option<PushLie>>,
    watcher: Mutex<Option<Watcher>>,
    circuit_watcher: Mutex<Option<CircuitWatcher>>,
    /// Counts circuits.
    circuits: AtomicU64,
    garble: Mutex<Option<Garble>>,
}

impl Lies {
    /// From now on changes what is replied to one kind of request.
    pub fn tell<R: Call>(&self, lie: impl Fn(&R, &mut R::Reply) + Send + Sync + 'static) {
        self.put::<R>(Arc::new(move |request, reply| {
            let mut reply = R::Reply::decode(reply).unwrap();
            lie(&R::decode(request).unwrap(), &mut reply);
            Ok(reply.encode_to_vec().into())
        }));
    }

    /// From now on refuses one kind of request, after it was done.
    pub fn refuse<R: Call>(&self, code: Code) {
        self.put::<R>(Arc::new(move |_, _| Err(code.into())));
    }

    /// From now on refuses some of one kind of request, without doing it.
    pub fn deny<R: Call>(&self, denies: impl Fn(&R) -> Option<Fault> + Send + Sync + 'static) {
        let refusal: Refusal = Arc::new(move |request| denies(&R::decode(request).unwrap()));
        self.refusals.lock().unwrap().insert((R::Service::KIND, R::NUMBER), refusal);
    }

    /// From now on lets somebody see all requests, whatever becomes of them.
    pub fn watch(&self, watcher: impl Fn(Kind, u32, &[u8]) + Send + Sync + 'static) {
        *self.watcher.lock().unwrap() = Some(Arc::new(watcher));
    }

    /// The same, with the number of the circuit on which each came.
    pub fn watch_circuits(&self, watcher: impl Fn(u64, Kind, u32, &[u8]) + Send + Sync + 'static) {
        *self.circuit_watcher.lock().unwrap() = Some(Arc::new(watcher));
    }

    /// A number for the next circuit.
    pub fn circuit(&self) -> u64 {
        self.circuits.fetch_add(1, Ordering::Relaxed)
    }

    /// From now on changes what is pushed, or holds it back (false).
    pub fn push(&self, lie: impl Fn(&mut LogPush) -> bool + Send + Sync + 'static) {
        *self.pushes.lock().unwrap() = Some(Arc::new(lie));
    }

    /// From now on changes the bytes of every reply.
    pub fn garble(&self, garble: impl Fn(Bytes) -> Bytes + Send + Sync + 'static) {
        *self.garble.lock().unwrap() = Some(Arc::new(garble));
    }

    /// From now on tells the truth.
    pub fn stop(&self) {
        self.garble.lock().unwrap().take();
        self.replies.lock().unwrap().clear();
        self.refusals.lock().unwrap().clear();
        self.pushes.lock().unwrap().take();
    }

    fn put<R: Method>(&self, lie: Lie) {
        self.replies.lock().unwrap().insert((R::Service::KIND, R::NUMBER), lie);
    }
}

/// Answers as another does, but for the lies.
pub struct Liar<H> {
    pub honest: H,
    pub lies: Arc<Lies>,
    pub circuit: u64,
}

impl<S: Service, H: Dispatch<S>> Dispatch<S> for Liar<H> {
    async fn dispatch(&self, now: Now, method: u32, body: Bytes, pushes: OpenPushes) -> Result<Answer, Fault> {
        let watcher = self.lies.watcher.lock().unwrap().clone();
        watcher.inspect(|watcher| watcher(S::KIND, method, &body));
        let watcher = self.lies.circuit_watcher.lock().unwrap().clone();
        watcher.inspect(|watcher| watcher(self.circuit, S::KIND, method, &body));
        let refusal = self.lies.refusals.lock().unwrap().get(&(S::KIND, method)).cloned();
        if let Some(fault) = refusal.and_then(|refusal| refusal(&body)) {
            return Err(fault);
        }
        let lie = self.lies.replies.lock().unwrap().get(&(S::KIND, method)).cloned();
        let pushes = match S::KIND {
            Kind::Channel => OpenPushes::new(Arc::new(Through { pushes: pushes.typed(), lies: self.lies.clone() }), 1),
            _ => pushes,
        };
        let garble = self.lies.garble.lock().unwrap().clone();
        match (self.honest.dispatch(now, method, body.clone(), pushes).await?, lie) {
            (Answer::Reply(reply), None) => Ok(Answer::Reply(garble.map_or(reply.clone(), |garble| garble(reply)))),
            (Answer::Reply(reply), Some(lie)) => lie(&body, reply).map(Answer::Reply),
            (answer, _) => Ok(answer),
        }
    }
}

/// Pushes on their way through a liar.
struct Through {
    pushes: Pushes<LogPush>,
    lies: Arc<Lies>,
}

impl PushQueue for Through {
    fn push(&self, _: u32, body: Bytes) -> bool {
        let mut push = LogPush::decode(body).unwrap();
        let lie = self.lies.pushes.lock().unwrap().clone();
        let told = lie.is_none_or(|lie| lie(&mut push));
        !told || self.pushes.send(&Encoded::new(&push))
    }
}
