//! Panics of tasks, which nobody joins: each is counted, and said like any other.

use std::{
    panic,
    sync::atomic::{AtomicUsize, Ordering},
};

/// How many there have been.
pub static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Counts them from now on.
pub fn count() {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        COUNT.fetch_add(1, Ordering::Relaxed);
        say(info);
    }));
}
