//! Requests that are paid for with blind tokens.

use sha2::{Digest as _, Sha256};

use crate::{
    blob::BeginBlobRequest,
    context::Context,
    directory::{BeginQueryRequest, EvaluateRequest},
    limits::{BLOB_BYTES_A_TOKEN, EVALUATIONS_A_TOKEN},
    objects::{Purpose, Token},
    rpc::Method,
    visitor::{CreateChannelRequest, DeliverRequest, FetchContactRequest},
};

/// A request that costs tokens.
pub trait Paid: Method + Clone {
    /// What they must have been issued for.
    const PURPOSE: Purpose;

    /// How many it costs; it may be worth more where there is little left.
    fn price(&self) -> usize;

    /// Those that came with it.
    fn tokens(&self) -> &[Token];

    /// Where they are put.
    fn tokens_mut(&mut self) -> &mut Vec<Token>;

    /// What the tokens are spent on: SHA-256 of (context, method's number, this request without its tokens). Fields that
    /// this release does not know count for nothing.
    fn spent_on(&self) -> [u8; 32] {
        let mut bare = self.clone();
        bare.tokens_mut().clear();
        Sha256::digest(Context::SPEND.bytes(&[&Self::NUMBER.to_be_bytes(), &bare.encode_to_vec()])).into()
    }
}

macro_rules! paid {
    ($($request:ty: $purpose:ident, $price:expr;)*) => {
        $(impl Paid for $request {
            const PURPOSE: Purpose = Purpose::$purpose;

            fn price(&self) -> usize {
                $price(self)
            }

            fn tokens(&self) -> &[Token] {
                &self.tokens
            }

            fn tokens_mut(&mut self) -> &mut Vec<Token> {
                &mut self.tokens
            }
        })*
    };
}

paid! {
    CreateChannelRequest: Channel, |_| 1;
    DeliverRequest: Inbox, |_| 1;
    FetchContactRequest: Contact, |_| 1;
    BeginBlobRequest: Blob, |blob: &Self| usize::try_from(blob.bytes.div_ceil(BLOB_BYTES_A_TOKEN)).unwrap_or(usize::MAX);
    EvaluateRequest: Evaluation, |request: &Self| request.elements.len().div_ceil(EVALUATIONS_A_TOKEN);
    BeginQueryRequest: Query, |_| 1;
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn tokens_are_spent_on_a_request_and_not_on_themselves() {
        let request = FetchContactRequest { account: vec![1; 16].into(), tokens: Vec::new() };
        let other = FetchContactRequest { account: vec![2; 16].into(), tokens: Vec::new() };
        let paid = FetchContactRequest { tokens: vec![Token { week: 1, ..Token::default() }], ..request.clone() };
        assert!(request.spent_on() == paid.spent_on());
        assert!(request.spent_on() != other.spent_on());
    }

    /// A request of another method may have the same bytes.
    #[test]
    fn methods_are_told_apart() {
        let channel = CreateChannelRequest { channel: vec![1; 16].into(), ..CreateChannelRequest::default() };
        let contact = FetchContactRequest { account: vec![1; 16].into(), ..FetchContactRequest::default() };
        assert!(channel.encode_to_vec() == contact.encode_to_vec());
        assert!(channel.spent_on() != contact.spent_on());
    }
}
