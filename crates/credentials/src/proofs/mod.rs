//! What is proven on a circuit or in a message: who registers, authenticates, opens a channel, signed a head, wrote a
//! letter, restarted a chat. What proves presence is signed over the circuit's handshake hash, so it is worth nothing on
//! another.

mod change;
mod device;
mod directory;
mod head;
mod letter;
mod opening;
mod recover;
mod restart;

pub use change::verify_change;
pub use device::{
    AuthenticatedDevice, RegisterSignatures, authenticate, register, verify_authenticate, verify_register,
};
pub use directory::{give_listing, sign_directory, verify_directory, verify_give_listing};
pub use head::{VerifiedHead, verify_head, verify_seen};
pub use letter::{sign_letter, verify_letter};
pub use opening::{ReadOpening, WriteOpening, open_read, open_write, verify_open_read, verify_open_write};
pub use recover::{ProvenRecovery, recover, verify_recover};
pub use restart::{Restart, sign_restart, verify_restart};
