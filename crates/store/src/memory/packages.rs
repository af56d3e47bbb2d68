//! Key packages of one device, in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::{HANDED_OUT_KEPT, NewKeyPackages};

/// By number: those that wait, and of those last handed out the hashes.
#[derive(Default)]
pub(super) struct Packages {
    pub(super) one_time: BTreeMap<u64, OneTime>,
    pub(super) last_resort: Option<Bytes>,
}

pub(super) struct OneTime {
    pub(super) hash: [u8; 32],
    /// None once it was handed out.
    pub(super) package: Option<Bytes>,
}

impl Packages {
    pub(super) fn left(&self) -> u32 {
        self.one_time.values().filter(|one| one.package.is_some()).count() as u32
    }

    pub(super) fn put(&mut self, new: NewKeyPackages, one_time_max: u32) {
        if new.replace {
            self.one_time.retain(|_, one| one.package.as_ref().is_none_or(|package| new.one_time.contains(package)));
        }
        for package in new.one_time {
            let hash = Sha256::digest(&package).into();
            let known = self.one_time.values().any(|one| one.hash == hash);
            if !known && self.left() < one_time_max {
                let newest = self.one_time.last_key_value().map_or(0, |(number, _)| *number);
                self.one_time.insert(newest + 1, OneTime { hash, package: Some(package) });
            }
        }
        self.last_resort = new.last_resort.or(self.last_resort.take());
    }

    pub(super) fn take(&mut self, reserve: u32) -> Option<Bytes> {
        if self.left() <= reserve {
            return self.last_resort.clone();
        }
        let (number, one) = self.one_time.iter_mut().find(|(_, one)| one.package.is_some())?;
        let (number, package) = (*number, one.package.take());
        self.one_time.retain(|kept, _| *kept + HANDED_OUT_KEPT as u64 > number);
        package
    }
}
