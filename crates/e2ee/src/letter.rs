//! Letters: what is sealed into somebody's inbox, and who wrote it.
//!
//! A letter carries its writer's device list, and a device on it signs the letter together with its recipient; so the
//! recipient knows the writer by his account id alone, and cannot pass the letter on as one to somebody else.

use undertone_credentials::{CredentialError, DeviceKey, DeviceList, sign_letter, verify_letter};
use undertone_wire::{
    AccountId, Message,
    content::{Letter, SealedContent},
    ladder,
};
use zeroize::Zeroizing;

use crate::{E2eeError, Flaw};

/// A letter whose writer has proven himself; there is no other way to have one.
pub struct VerifiedLetter {
    sender: DeviceList,
    device: u32,
    letter: Letter,
}

impl VerifiedLetter {
    /// Who wrote it.
    pub fn sender(&self) -> &DeviceList {
        &self.sender
    }

    /// On which device.
    pub fn device(&self) -> u32 {
        self.device
    }

    /// What it says. Its parts (an invitation, contents) are yet to be judged.
    pub fn letter(&self) -> &Letter {
        &self.letter
    }

    /// The letter and its writer.
    pub fn into_parts(self) -> (DeviceList, u32, Letter) {
        (self.sender, self.device, self.letter)
    }
}

/// Writes a letter as the device `device` of `sender`, ready to be sealed to `recipient`.
pub fn write_letter(
    sender: &DeviceList,
    device: u32,
    key: &DeviceKey,
    recipient: AccountId,
    letter: &Letter,
) -> Zeroizing<Vec<u8>> {
    let letter = letter.encode_to_vec();
    let signature = sign_letter(key, recipient, &letter);
    let sealed = SealedContent {
        version: ladder::OBJECTS,
        device_list: sender.encoded().clone(),
        device,
        letter: letter.into(),
        signature: signature.to_vec().into(),
    };
    Zeroizing::new(sealed.encode_to_vec())
}

/// Reads a letter to `recipient`, once its seal is open.
///
/// # Errors
/// [`E2eeError::Unsupported`] when it, or the list inside, is of a later version; [`Flaw::Malformed`];
/// [`Flaw::Signature`].
pub fn read_letter(recipient: AccountId, opened: &[u8]) -> Result<VerifiedLetter, E2eeError> {
    let sealed = SealedContent::decode(opened).map_err(|_| Flaw::Malformed)?;
    match sealed.version {
        ladder::OBJECTS => {}
        newer if newer > ladder::OBJECTS => return Err(E2eeError::Unsupported),
        _ => return Err(Flaw::Malformed.into()),
    }
    let sender = DeviceList::verify(&sealed.device_list).map_err(not_believed)?;
    verify_letter(&sender, sealed.device, recipient, &sealed.letter, &sealed.signature).map_err(not_believed)?;
    let letter = Letter::decode(sealed.letter).map_err(|_| Flaw::Malformed)?;
    Ok(VerifiedLetter { sender, device: sealed.device, letter })
}

fn not_believed(error: CredentialError) -> E2eeError {
    match error {
        CredentialError::Newer => E2eeError::Unsupported,
        CredentialError::Malformed | CredentialError::DeviceCount => Flaw::Malformed.into(),
        _ => Flaw::Signature.into(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Person;

    fn letter() -> Letter {
        Letter { channel: Bytes::from_static(&[9; 16]), first_index: 3, ..Letter::default() }
    }

    fn written(by: &Person, to: &Person) -> Zeroizing<Vec<u8>> {
        write_letter(&by.list, by.number, &by.key, to.account(), &letter())
    }

    fn changed(bytes: &[u8], change: impl FnOnce(&mut SealedContent)) -> Vec<u8> {
        let mut sealed = SealedContent::decode(bytes).unwrap();
        change(&mut sealed);
        sealed.encode_to_vec()
    }

    #[test]
    fn the_recipient_knows_who_wrote_it() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let read = read_letter(bo.account(), &written(&ana, &bo)).ok().unwrap();
        assert!(read.sender().account() == ana.account() && read.device() == 1 && read.letter() == &letter());
        assert!(read.into_parts().2 == letter());
    }

    #[test]
    fn it_is_nobody_elses() {
        let (ana, bo, eve) = (Person::new(1), Person::new(2), Person::new(3));
        let bytes = written(&ana, &bo);
        let refusal = |to: &Person, bytes: &[u8]| read_letter(to.account(), bytes).err();
        let signature = Some(E2eeError::Invalid(Flaw::Signature));
        assert_eq!(refusal(&eve, &bytes), signature, "another recipient");
        let list = eve.list.encoded().clone();
        assert_eq!(refusal(&bo, &changed(&bytes, |sealed| sealed.device_list = list)), signature, "another writer");
        assert_eq!(refusal(&bo, &changed(&bytes, |sealed| sealed.device = 2)), signature, "another device");
        let other = Letter { first_index: 4, ..letter() }.encode_to_vec();
        assert_eq!(refusal(&bo, &changed(&bytes, |sealed| sealed.letter = other.into())), signature, "another letter");
    }

    #[test]
    fn later_versions_ask_for_an_update() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let bytes = written(&ana, &bo);
        let refusal = |version| read_letter(bo.account(), &changed(&bytes, |sealed| sealed.version = version)).err();
        assert_eq!(refusal(2), Some(E2eeError::Unsupported));
        assert_eq!(refusal(0), Some(Flaw::Malformed.into()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(read_letter(Person::new(1).account(), &bytes).is_err());
        }

        #[test]
        fn every_cut_is_refused(at in 0usize..100) {
            let (ana, bo) = (Person::new(1), Person::new(2));
            let bytes = written(&ana, &bo);
            prop_assert!(read_letter(bo.account(), &bytes[..at * bytes.len() / 100]).is_err());
        }
    }
}
