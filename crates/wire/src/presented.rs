//! Requests by which somebody shows himself in a group.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::{
    HandshakeHash,
    channel::{ChangeGroupRequest, PresentRequest},
    context::Context,
    rpc::Method,
};

/// A request that carries a presentation.
pub trait Presented: Method + Clone {
    /// What is shown.
    fn presentation(&self) -> &[u8];

    /// Where it is put.
    fn presentation_mut(&mut self) -> &mut Bytes;

    /// What the presentation is bound to: SHA-256 of (context, circuit, method's number, this request without it). So it
    /// proves nothing on another circuit, and nothing of another channel, revision or request.
    fn bound_to(&self, circuit: &HandshakeHash) -> [u8; 32] {
        let mut bare = self.clone();
        bare.presentation_mut().clear();
        let parts = [&circuit.as_bytes()[..], &Self::NUMBER.to_be_bytes(), &bare.encode_to_vec()];
        Sha256::digest(Context::GROUP_PRESENT.bytes(&parts)).into()
    }
}

macro_rules! presented {
    ($($request:ty),*) => {
        $(impl Presented for $request {
            fn presentation(&self) -> &[u8] {
                &self.presentation
            }

            fn presentation_mut(&mut self) -> &mut Bytes {
                &mut self.presentation
            }
        })*
    };
}

presented!(ChangeGroupRequest, PresentRequest);

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: HandshakeHash = HandshakeHash::new([1; 32]);

    #[test]
    fn a_presentation_is_bound_to_circuit_method_and_request_and_not_to_itself() {
        let request = PresentRequest { channel: vec![1; 16].into(), day: 7, ..PresentRequest::default() };
        let with = PresentRequest { presentation: vec![9; 9].into(), ..request.clone() };
        assert!(request.bound_to(&HERE) == with.bound_to(&HERE));
        assert!(request.bound_to(&HERE) != request.bound_to(&HandshakeHash::new([2; 32])));
        assert!(request.bound_to(&HERE) != PresentRequest { day: 8, ..request.clone() }.bound_to(&HERE));
        let change = ChangeGroupRequest { channel: vec![1; 16].into(), ..ChangeGroupRequest::default() };
        let present = PresentRequest { channel: vec![1; 16].into(), ..PresentRequest::default() };
        assert!(change.bound_to(&HERE) != present.bound_to(&HERE));
    }
}
