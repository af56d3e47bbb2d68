//! Chats that stay in memory from one transaction to the next.
//!
//! A chat of a thousand devices is a megabyte of tree: to read it from the store takes fifty times what it takes to encrypt
//! a message in it.

use std::cell::RefCell;

use openmls::prelude::MlsGroup;

/// Chats that are kept: a large one takes some megabytes.
const KEPT: usize = 8;

/// Chats exactly as the store has them, those that were used last. It belongs to the store, which shows it by
/// [`KeyValue::loaded`](crate::KeyValue::loaded).
///
/// A chat comes in by [`Chat::keep`](crate::Chat::keep), and goes when it is loaded, and when anything of it is written.
/// **Where a transaction was rolled back, wholly or in part, it is to be [cleared](Self::clear)**: what is in it may have been of that.
#[derive(Default)]
pub struct Loaded(RefCell<Vec<(Vec<u8>, MlsGroup)>>);

impl Loaded {
    /// Forgets all: each is read from the store again.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    pub(crate) fn take(&self, id: &[u8]) -> Option<MlsGroup> {
        let mut kept = self.0.borrow_mut();
        let at = kept.iter().position(|(of, _)| of == id)?;
        Some(kept.remove(at).1)
    }

    pub(crate) fn keep(&self, id: Vec<u8>, group: MlsGroup) {
        let mut kept = self.0.borrow_mut();
        kept.retain(|(of, _)| *of != id);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((id, group));
    }
}
