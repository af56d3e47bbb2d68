//! New messages, each to exactly one reader.
//!
//! Several processes may ask for what is new at once: a `receive --follow` that owns the home and a `receive` beside it,
//! say. Whoever takes a message holds it until it was printed; a reader that goes away before that gives it back.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use undertone_client::{Engine, Message};

use crate::failure::Failure;

/// Which new messages somebody is printing.
pub struct Showing {
    taken: Mutex<HashSet<(String, String)>>,
    given_back: watch::Sender<u64>,
}

/// A message that nobody else prints meanwhile.
pub struct Taken<'a> {
    showing: &'a Showing,
    engine: &'a Engine,
    message: Message,
    shown: bool,
}

impl Showing {
    /// Nothing is taken.
    pub fn new() -> Self {
        Self { taken: Mutex::default(), given_back: watch::Sender::new(0) }
    }

    /// The next new message that nobody has taken.
    pub fn take<'a>(&'a self, engine: &'a Engine) -> Result<Option<Taken<'a>>, Failure> {
        let mut taken = self.lock();
        // One more than are taken, so that one is free if there is one at all.
        let limit = u32::try_from(taken.len()).unwrap_or(u32::MAX).saturating_add(1);
        let free = engine.unshown(limit)?.into_iter().find(|message| !taken.contains(&key(message)));
        Ok(free.map(|message| {
            taken.insert(key(&message));
            Taken { showing: self, engine, message, shown: false }
        }))
    }

    /// Changes when a message was given back.
    pub fn given_back(&self) -> watch::Receiver<u64> {
        self.given_back.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken<'_> {
    /// The message.
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// It was printed.
    pub fn set_shown(mut self) -> Result<(), Failure> {
        self.engine.set_shown(&self.message)?;
        self.shown = true;
        Ok(())
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.showing.lock().remove(&key(&self.message));
        if !self.shown {
            self.showing.given_back.send_modify(|count| *count += 1);
        }
    }
}

fn key(message: &Message) -> (String, String) {
    (message.chat.clone(), message.id.clone())
}
