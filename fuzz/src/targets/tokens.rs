//! Blind tokens: what the service evaluates and judges, what the client keeps and is answered with.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_credentials::{Issued, IssuingKey, Token, TokenPublicKey, Wish};
use undertone_wire::{
    Message as _, Week,
    objects::{self, Purpose},
};

use crate::{Target, people::TODAY};

pub const TOKENS: Target = Target { name: "tokens", run: tokens, seeds: some_tokens, cost: 2 };
pub const BATCHES: Target = Target { name: "batches", run: batches, seeds: some_batches, cost: 4 };
pub const WISHES: Target = Target { name: "wishes", run: wishes, seeds: some_wishes, cost: 4 };

const WEEK: Week = TODAY.week();
const PURPOSE: Purpose = Purpose::Inbox;
const ELEMENT_LEN: usize = 32;
const PROOF_LEN: usize = 64;

thread_local! {
    static WORLD: Option<World> = World::new();
}

/// A service, a wish of a client, the answer to it, and what comes out.
struct World {
    issuing: IssuingKey,
    public: TokenPublicKey,
    wish: Wish,
    issued: Issued,
    tokens: Vec<objects::Token>,
}

impl World {
    fn new() -> Option<Self> {
        let rng = &mut rng();
        let issuing = IssuingKey::generate(rng);
        let key = issuing.key(PURPOSE, WEEK);
        let wish = Wish::new(PURPOSE, WEEK, 3, rng).ok()?;
        let issued = key.issue(&wish.blinded(), rng).ok()?;
        let tokens = wish.finish(&key.public(), &issued.evaluated, &issued.proof).ok()?;
        let tokens = tokens.iter().map(objects::Token::from).collect();
        Some(Self { public: key.public(), issuing, wish, issued, tokens })
    }
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([1; 32])
}

fn with_world(act: impl Fn(&World)) {
    WORLD.with(|world| world.iter().for_each(act));
}

/// A token that somebody wants to spend: nobody makes one.
fn tokens(data: &[u8]) {
    let Ok(token) = objects::Token::decode(data) else { return };
    with_world(|world| {
        let good = world.issuing.verify(PURPOSE, &token, WEEK);
        let Ok(parsed) = Token::try_from(&token) else {
            assert!(good.is_err(), "a token of other lengths is good");
            return;
        };
        assert!(objects::Token::from(&parsed) == token, "a token reads otherwise when it is written again");
        assert!(good.is_ok() == world.tokens.contains(&token), "a token that was not issued is good");
    });
}

fn some_tokens() -> Option<Vec<Vec<u8>>> {
    Some(World::new()?.tokens.iter().map(objects::Token::encode_to_vec).collect())
}

/// A batch to be evaluated, element after element.
fn batches(data: &[u8]) {
    let blinded: Vec<_> = data.chunks(ELEMENT_LEN).collect();
    with_world(|world| {
        if let Ok(issued) = world.issuing.key(PURPOSE, WEEK).issue(&blinded, &mut rng()) {
            assert!(issued.evaluated.len() == blinded.len() && !blinded.is_empty());
        }
    });
}

fn some_batches() -> Option<Vec<Vec<u8>>> {
    let wish = World::new()?.wish;
    Some(vec![wish.blinded().concat(), wish.blinded().first()?.to_vec()])
}

/// What a client has kept; and an answer, which ends with its proof.
fn wishes(data: &[u8]) {
    if let Ok(wish) = Wish::from_bytes(data) {
        assert!(wish.to_bytes()[..] == *data, "a wish has two forms");
    }
    with_world(|world| {
        let (elements, proof) = data.split_at(data.len().saturating_sub(PROOF_LEN));
        let evaluated: Vec<_> = elements.chunks(ELEMENT_LEN).collect();
        if world.wish.finish(&world.public, &evaluated, proof).is_ok() {
            assert!(evaluated == world.issued.evaluated, "tokens from elements that were not evaluated");
        }
    });
}

fn some_wishes() -> Option<Vec<Vec<u8>>> {
    let World { wish, issued, .. } = World::new()?;
    Some(vec![wish.to_bytes().to_vec(), [issued.evaluated.concat(), issued.proof.to_vec()].concat()])
}
