//! openmls's storage on our map: one row per entity, in CBOR (its entities need an encoding that describes itself).

use std::cell::Cell;

use openmls::prelude::{GroupId, MlsGroup};
use openmls_traits::storage::{CURRENT_VERSION as V, StorageProvider, traits};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{KeyValue, KeyValueError};

/// Begins every key, so that the map may hold other things too. Its number changes with the encoding.
const PREFIX: &[u8] = b"mls1/";

/// The rows of all groups and key packages of one device.
pub struct Storage<'a> {
    map: &'a dyn KeyValue,
    failed: Cell<bool>,
}

impl<'a> Storage<'a> {
    pub fn new(map: &'a dyn KeyValue) -> Self {
        Self { map, failed: Cell::new(false) }
    }

    /// Whether anything has failed so far: openmls reports some failures of the store as something else.
    pub fn has_failed(&self) -> bool {
        self.failed.get()
    }

    fn noting<T>(&self, result: Result<T, KeyValueError>) -> Result<T, KeyValueError> {
        if result.is_err() {
            self.failed.set(true);
        }
        result
    }

    /// The group, if it is in memory as it is in the store: it is taken out.
    pub fn take_loaded(&self, group: &GroupId) -> Option<MlsGroup> {
        self.map.loaded()?.take(&encode(group).ok()?)
    }

    /// Leaves a group in memory that is as it is in the store.
    pub fn keep_loaded(&self, group: MlsGroup) {
        if let (Some(loaded), Ok(id)) = (self.map.loaded(), encode(group.group_id())) {
            loaded.keep(id.to_vec(), group);
        }
    }

    /// Something of it is about to change in the store. Of what is no group, nothing is in memory.
    fn changes(&self, id: &impl Serialize) -> Result<(), KeyValueError> {
        if let Some(loaded) = self.map.loaded() {
            drop(loaded.take(&encode(id)?));
        }
        Ok(())
    }

    fn put(&self, label: &str, id: &impl Serialize, value: &(impl Serialize + ?Sized)) -> Result<(), KeyValueError> {
        let put = || {
            self.changes(id)?;
            self.map.put(&key(label, id)?, &encode(value)?)
        };
        self.noting(put())
    }

    fn get<T: DeserializeOwned>(&self, label: &str, id: &impl Serialize) -> Result<Option<T>, KeyValueError> {
        self.noting(
            key(label, id)
                .and_then(|key| self.map.get(&key))
                .and_then(|value| value.map(|value| decode(&value)).transpose()),
        )
    }

    fn delete(&self, label: &str, id: &impl Serialize) -> Result<(), KeyValueError> {
        let delete = || {
            self.changes(id)?;
            self.map.delete(&key(label, id)?)
        };
        self.noting(delete())
    }

    fn list<T: DeserializeOwned>(&self, label: &str, id: &impl Serialize) -> Result<Vec<T>, KeyValueError> {
        Ok(self.get(label, id)?.unwrap_or_default())
    }
}

fn key(label: &str, id: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, KeyValueError> {
    let mut key = Zeroizing::new([PREFIX, label.as_bytes(), b"/"].concat());
    key.extend_from_slice(&encode(id)?);
    Ok(key)
}

fn encode(value: &(impl Serialize + ?Sized)) -> Result<Zeroizing<Vec<u8>>, KeyValueError> {
    let mut bytes = Zeroizing::new(Vec::new());
    ciborium::into_writer(value, &mut *bytes).map_err(|_| KeyValueError)?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, KeyValueError> {
    ciborium::from_reader(bytes).map_err(|_| KeyValueError)
}

/// Methods that write, read and delete the one entity that something has under a label.
macro_rules! entity {
    ($($label:literal: $key:ident -> $entity:ident $write:ident $read:ident $delete:ident;)*) => {$(
        fn $write<K: traits::$key<V>, T: traits::$entity<V>>(&self, id: &K, value: &T) -> Result<(), KeyValueError> {
            self.put($label, id, value)
        }

        fn $read<K: traits::$key<V>, T: traits::$entity<V>>(&self, id: &K) -> Result<Option<T>, KeyValueError> {
            self.get($label, id)
        }

        fn $delete<K: traits::$key<V>>(&self, id: &K) -> Result<(), KeyValueError> {
            self.delete($label, id)
        }
    )*};
}

impl StorageProvider<V> for Storage<'_> {
    type Error = KeyValueError;

    entity! {
        "config": GroupId -> MlsGroupJoinConfig write_mls_join_config mls_group_join_config delete_group_config;
        "tree": GroupId -> TreeSync write_tree tree delete_tree;
        "context": GroupId -> GroupContext write_context group_context delete_context;
        "transcript": GroupId -> InterimTranscriptHash
            write_interim_transcript_hash interim_transcript_hash delete_interim_transcript_hash;
        "confirmation": GroupId -> ConfirmationTag
            write_confirmation_tag confirmation_tag delete_confirmation_tag;
        "messages": GroupId -> MessageSecrets write_message_secrets message_secrets delete_message_secrets;
        "resumption": GroupId -> ResumptionPskStore
            write_resumption_psk_store resumption_psk_store delete_all_resumption_psk_secrets;
        "own leaf": GroupId -> LeafNodeIndex write_own_leaf_index own_leaf_index delete_own_leaf_index;
        "epoch": GroupId -> GroupEpochSecrets
            write_group_epoch_secrets group_epoch_secrets delete_group_epoch_secrets;
        "signature key": SignaturePublicKey -> SignatureKeyPair
            write_signature_key_pair signature_key_pair delete_signature_key_pair;
        "key package": HashReference -> KeyPackage write_key_package key_package delete_key_package;
    }

    // The trait names the types of the rest in another order, or several of them.

    fn write_group_state<T: traits::GroupState<V>, K: traits::GroupId<V>>(
        &self,
        group: &K,
        state: &T,
    ) -> Result<(), KeyValueError> {
        self.put("state", group, state)
    }

    fn group_state<T: traits::GroupState<V>, K: traits::GroupId<V>>(
        &self,
        group: &K,
    ) -> Result<Option<T>, KeyValueError> {
        self.get("state", group)
    }

    fn delete_group_state<K: traits::GroupId<V>>(&self, group: &K) -> Result<(), KeyValueError> {
        self.delete("state", group)
    }

    fn write_encryption_key_pair<K: traits::EncryptionKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        public: &K,
        pair: &T,
    ) -> Result<(), KeyValueError> {
        self.put("encryption key", public, pair)
    }

    fn encryption_key_pair<T: traits::HpkeKeyPair<V>, K: traits::EncryptionKey<V>>(
        &self,
        public: &K,
    ) -> Result<Option<T>, KeyValueError> {
        self.get("encryption key", public)
    }

    fn delete_encryption_key_pair<K: traits::EncryptionKey<V>>(&self, public: &K) -> Result<(), KeyValueError> {
        self.delete("encryption key", public)
    }

    fn write_encryption_epoch_key_pairs<K: traits::GroupId<V>, E: traits::EpochKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        group: &K,
        epoch: &E,
        leaf: u32,
        pairs: &[T],
    ) -> Result<(), KeyValueError> {
        self.noting(self.changes(group))?;
        self.put("epoch keys", &(group, epoch, leaf), pairs)
    }

    fn encryption_epoch_key_pairs<K: traits::GroupId<V>, E: traits::EpochKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        group: &K,
        epoch: &E,
        leaf: u32,
    ) -> Result<Vec<T>, KeyValueError> {
        self.list("epoch keys", &(group, epoch, leaf))
    }

    fn delete_encryption_epoch_key_pairs<K: traits::GroupId<V>, E: traits::EpochKey<V>>(
        &self,
        group: &K,
        epoch: &E,
        leaf: u32,
    ) -> Result<(), KeyValueError> {
        self.noting(self.changes(group))?;
        self.delete("epoch keys", &(group, epoch, leaf))
    }

    fn write_psk<K: traits::PskId<V>, T: traits::PskBundle<V>>(&self, id: &K, psk: &T) -> Result<(), KeyValueError> {
        self.put("psk", id, psk)
    }

    fn psk<T: traits::PskBundle<V>, K: traits::PskId<V>>(&self, id: &K) -> Result<Option<T>, KeyValueError> {
        self.get("psk", id)
    }

    fn delete_psk<K: traits::PskId<V>>(&self, id: &K) -> Result<(), KeyValueError> {
        self.delete("psk", id)
    }

    fn append_own_leaf_node<K: traits::GroupId<V>, T: traits::LeafNode<V>>(
        &self,
        group: &K,
        leaf: &T,
    ) -> Result<(), KeyValueError> {
        // Entities cannot be copied; what a list held before is written again as plain CBOR values.
        let mut leaves: Vec<ciborium::Value> = self.list("own leaves", group)?;
        leaves.push(self.noting(ciborium::Value::serialized(leaf).map_err(|_| KeyValueError))?);
        self.put("own leaves", group, &leaves)
    }

    fn own_leaf_nodes<K: traits::GroupId<V>, T: traits::LeafNode<V>>(
        &self,
        group: &K,
    ) -> Result<Vec<T>, KeyValueError> {
        self.list("own leaves", group)
    }

    fn delete_own_leaf_nodes<K: traits::GroupId<V>>(&self, group: &K) -> Result<(), KeyValueError> {
        self.delete("own leaves", group)
    }

    fn queue_proposal<K: traits::GroupId<V>, R: traits::ProposalRef<V>, T: traits::QueuedProposal<V>>(
        &self,
        group: &K,
        reference: &R,
        proposal: &T,
    ) -> Result<(), KeyValueError> {
        let mut queue: Vec<(ciborium::Value, ciborium::Value)> = self.list("proposals", group)?;
        let value =
            |entity: Result<ciborium::Value, _>| self.noting(entity.map_err(|_: ciborium::value::Error| KeyValueError));
        queue.push((value(ciborium::Value::serialized(reference))?, value(ciborium::Value::serialized(proposal))?));
        self.put("proposals", group, &queue)
    }

    fn queued_proposal_refs<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &K,
    ) -> Result<Vec<R>, KeyValueError> {
        let queue: Vec<(R, ciborium::Value)> = self.list("proposals", group)?;
        Ok(queue.into_iter().map(|(reference, _)| reference).collect())
    }

    fn queued_proposals<K: traits::GroupId<V>, R: traits::ProposalRef<V>, T: traits::QueuedProposal<V>>(
        &self,
        group: &K,
    ) -> Result<Vec<(R, T)>, KeyValueError> {
        self.list("proposals", group)
    }

    fn remove_proposal<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &K,
        reference: &R,
    ) -> Result<(), KeyValueError> {
        let reference = self.noting(ciborium::Value::serialized(reference).map_err(|_| KeyValueError))?;
        let mut queue: Vec<(ciborium::Value, ciborium::Value)> = self.list("proposals", group)?;
        queue.retain(|(queued, _)| *queued != reference);
        self.put("proposals", group, &queue)
    }

    fn clear_proposal_queue<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &K,
    ) -> Result<(), KeyValueError> {
        self.delete("proposals", group)
    }
}
