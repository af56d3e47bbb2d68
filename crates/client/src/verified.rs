//! What was verified before. Most lists that a pass looks at are the same bytes as last time, and to check their signatures
//! again would be nearly all that it does.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use undertone_credentials::{CredentialError, DeviceList, VerifiedParameters};
use undertone_wire::circuit::SignedParameters;

/// Device lists that are kept, of 0.3 to 7 KB: those of the people whom one writes to in a day, and of a large group.
const LISTS_KEPT: usize = 2_048;

/// What was found to be signed while this process runs.
#[derive(Default)]
pub(crate) struct Verified {
    lists: RefCell<BTreeMap<Bytes, DeviceList>>,
    parameters: RefCell<Option<(SignedParameters, Arc<VerifiedParameters>)>>,
}

impl Verified {
    /// As [`DeviceList::verify`].
    pub(crate) fn list(&self, bytes: &[u8]) -> Result<DeviceList, CredentialError> {
        if let Some(list) = self.lists.borrow().get(bytes) {
            return Ok(list.clone());
        }
        let list = DeviceList::verify(bytes)?;
        let mut lists = self.lists.borrow_mut();
        if lists.len() >= LISTS_KEPT {
            lists.clear();
        }
        lists.insert(list.encoded().clone(), list.clone());
        Ok(list)
    }

    /// As [`VerifiedParameters::verify`].
    pub(crate) fn parameters(&self, signed: &SignedParameters) -> Result<Arc<VerifiedParameters>, CredentialError> {
        if let Some((known, list)) = &*self.parameters.borrow()
            && known == signed
        {
            return Ok(list.clone());
        }
        let list = Arc::new(VerifiedParameters::verify(signed)?);
        *self.parameters.borrow_mut() = Some((signed.clone(), list.clone()));
        Ok(list)
    }
}
