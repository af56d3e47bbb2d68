//! Engines that keep everything in memory and lose it with the process: for tests, and as the readable reference for
//! the other engines.

mod accounts;
mod blobs;
mod channels;
mod directory;
mod packages;
mod tokens;
mod values;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use accounts::MemoryAccounts;
pub use blobs::MemoryBlobs;
pub use channels::MemoryChannels;

/// Nothing below panics between two changes that belong together, so a poisoned state is still a whole one.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
