//! What many hear at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Tells something to all who listen, in the order in which they have begun to. A watch channel with many receivers wakes them
/// in an order that it draws itself, and that no seed decides.
pub struct Bell<T>(Mutex<State<T>>);

struct State<T> {
    last: T,
    /// One for each who listens.
    listeners: Vec<watch::Sender<T>>,
}

impl<T: Copy> Bell<T> {
    /// That has told this.
    pub fn new(last: T) -> Self {
        Self(State { last, listeners: Vec::new() }.into())
    }

    /// What it has told last, and will tell.
    pub fn listen(&self) -> watch::Receiver<T> {
        let State { last, listeners } = &mut *self.state();
        listeners.retain(|listener| !listener.is_closed());
        let (listener, receiver) = watch::channel(*last);
        listeners.push(listener);
        receiver
    }

    /// Tells something that follows from what it has told last.
    pub fn ring(&self, next: impl FnOnce(T) -> T) {
        let State { last, listeners } = &mut *self.state();
        *last = next(*last);
        for listener in listeners {
            listener.send_replace(*last);
        }
    }

    /// What it has told last.
    pub fn last(&self) -> T {
        self.state().last
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn who_came_first_hears_it_first() {
        let (bell, heard) = (Bell::new(0), Arc::new(Mutex::new(Vec::new())));
        let mut all = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (mut bell, heard) = (bell.listen(), heard.clone());
            all.spawn(async move {
                bell.changed().await.unwrap();
                heard.lock().unwrap().push((number, *bell.borrow()));
            });
        }
        tokio::task::yield_now().await;
        bell.ring(|last| last + 1);
        drop(all.join_all().await);
        assert_eq!(*heard.lock().unwrap(), (0..20).map(|number| (number, 1)).collect::<Vec<_>>());
        assert_eq!((bell.last(), *bell.listen().borrow()), (1, 1));
    }
}
