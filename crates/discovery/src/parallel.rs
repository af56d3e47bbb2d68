//! Work that is shared among threads. Which of them does what changes nothing of the result.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    thread,
};

/// Does `act` with each item and its place, on up to so many threads.
pub fn each<T: Send>(threads: NonZeroUsize, items: &mut [T], act: impl Fn(usize, &mut T) + Sync) {
    if threads.get() == 1 {
        return items.iter_mut().enumerate().for_each(|(index, item)| act(index, item));
    }
    let count = threads.get().min(items.len());
    let waiting = Mutex::new(items.iter_mut().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((index, item)) = next() {
            act(index, item);
        }
    };
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(work);
        }
    });
}
