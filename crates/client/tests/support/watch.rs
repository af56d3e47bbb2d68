//! What a service sees of those who pay.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use undertone_wire::{
    Message as _,
    account::IssueTokensRequest,
    circuit::Kind,
    paid::Paid,
    rpc::{Method as _, Service as _},
    visitor::{CreateChannelRequest, DeliverRequest, FetchContactRequest, Visitor},
};

use super::Service;

/// All paid acts that a service was asked for, and all batches.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    acts: Vec<Act>,
    batches: Vec<IssueTokensRequest>,
}

/// One that was asked for.
#[derive(Clone)]
pub struct Act {
    pub method: u32,
    pub spent_on: [u8; 32],
    pub nonces: Vec<Vec<u8>>,
}

impl Watch {
    pub fn over(service: &Service) -> Self {
        let watch = Self::default();
        let seen = watch.clone();
        service.lies.watch(move |kind, method, body| seen.note(kind, method, body));
        watch
    }

    fn note(&self, kind: Kind, method: u32, body: &[u8]) {
        let mut seen = self.0.lock().unwrap();
        let act = match (kind, method) {
            (Kind::Visitor, CreateChannelRequest::NUMBER) => act(&CreateChannelRequest::decode(body).unwrap()),
            (Kind::Visitor, DeliverRequest::NUMBER) => act(&DeliverRequest::decode(body).unwrap()),
            (Kind::Visitor, FetchContactRequest::NUMBER) => act(&FetchContactRequest::decode(body).unwrap()),
            (Kind::Account, IssueTokensRequest::NUMBER) => {
                return seen.batches.push(IssueTokensRequest::decode(body).unwrap());
            }
            _ => return,
        };
        seen.acts.push(act);
    }

    pub fn acts(&self) -> Vec<Act> {
        self.0.lock().unwrap().acts.clone()
    }

    pub fn batches(&self) -> Vec<IssueTokensRequest> {
        self.0.lock().unwrap().batches.clone()
    }

    /// Every act was paid for, and no token was ever shown with two different ones.
    pub fn no_token_says_more_than_one_thing(&self) {
        let mut shown = HashMap::new();
        for act in self.acts() {
            assert!(!act.nonces.is_empty(), "nobody comes who cannot pay");
            for nonce in act.nonces {
                assert!(*shown.entry(nonce).or_insert(act.spent_on) == act.spent_on, "a token for two acts");
            }
        }
    }
}

fn act<R: Paid>(request: &R) -> Act {
    assert!(R::Service::KIND == Visitor::KIND);
    let nonces = request.tokens().iter().map(|token| token.nonce.to_vec()).collect();
    Act { method: R::NUMBER, spent_on: request.spent_on(), nonces }
}
