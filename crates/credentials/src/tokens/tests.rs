//! Tokens from the wish to the spend, and what is refused on the way.

use std::{collections::BTreeMap, path::Path};

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use undertone_wire::{
    Week,
    objects::{self, Purpose},
};

use super::*;
use crate::{CredentialError, testing::rng};

const WEEK: Week = Week(2_968);

fn issuing() -> IssuingKey {
    IssuingKey::from_seed(&[7; 32])
}

fn wish(purpose: Purpose, count: usize) -> Wish {
    Wish::new(purpose, WEEK, count, &mut rng(1)).unwrap()
}

fn issue(wish: &Wish) -> Issued {
    issuing().key(wish.purpose(), wish.week()).issue(&wish.blinded(), &mut rng(2)).unwrap()
}

fn finish(wish: &Wish, issued: &Issued) -> Result<Vec<Token>, CredentialError> {
    let public = issuing().public(wish.purpose(), wish.week());
    wish.finish(&public, &issued.evaluated, &issued.proof)
}

/// A token as it comes to the service.
fn spent(purpose: Purpose) -> objects::Token {
    let wish = wish(purpose, 1);
    objects::Token::from(&finish(&wish, &issue(&wish)).unwrap()[0])
}

fn verify(purpose: Purpose, token: &objects::Token, current: Week) -> Result<(), CredentialError> {
    issuing().verify(purpose, token, current).map(drop)
}

#[test]
fn a_batch_is_issued_and_every_token_of_it_is_good_once() {
    for (purpose, count) in [(Purpose::Channel, 1), (Purpose::Inbox, 32), (Purpose::Contact, 1_600)] {
        let wish = wish(purpose, count);
        let tokens = finish(&wish, &issue(&wish)).unwrap();
        let nullifiers = tokens.iter().map(|token| issuing().verify(purpose, &token.into(), WEEK).unwrap());
        let mut nullifiers: Vec<_> = nullifiers.collect();
        assert!(nullifiers.iter().all(|nullifier| nullifier.week() == WEEK));
        nullifiers.sort_unstable();
        nullifiers.dedup();
        assert_eq!(nullifiers.len(), count);
    }
}

#[test]
fn a_nullifier_is_the_token_s_nonce_and_week() {
    let token = spent(Purpose::Inbox);
    let nullifier = issuing().verify(Purpose::Inbox, &token, WEEK).unwrap();
    assert!(nullifier.as_bytes()[..] == token.nonce[..] && nullifier.week().0 == token.week);
}

#[test]
fn there_are_no_batches_of_none() {
    assert!(Wish::new(Purpose::Inbox, WEEK, 0, &mut rng(1)).err() == Some(CredentialError::Batch));
    let none: [[u8; 32]; 0] = [];
    let key = issuing().key(Purpose::Inbox, WEEK);
    assert!(key.issue(&none, &mut rng(1)).err() == Some(CredentialError::Batch));
    let wish = wish(Purpose::Inbox, 2);
    let issued = issue(&wish);
    for evaluated in [&issued.evaluated[..0], &issued.evaluated[..1]] {
        let refused = wish.finish(&key.public(), evaluated, &issued.proof);
        assert!(refused.err() == Some(CredentialError::Batch));
    }
}

#[test]
fn a_token_is_good_in_its_week_and_the_one_after() {
    let token = spent(Purpose::Inbox);
    let over = Err(CredentialError::TokenWeek);
    let weeks = [WEEK.0 - 1, WEEK.0, WEEK.0 + 1, WEEK.0 + 2, 0, u32::MAX];
    let judged = weeks.map(|week| verify(Purpose::Inbox, &token, Week(week)));
    assert_eq!(judged, [over, Ok(()), Ok(()), over, over, over]);
    // To say another week does not help.
    for week in [WEEK.0 - 1, WEEK.0 + 1] {
        let other = objects::Token { week, ..token.clone() };
        assert_eq!(verify(Purpose::Inbox, &other, Week(week)), Err(CredentialError::Token));
    }
    let last = objects::Token { week: u32::MAX, ..token };
    assert_eq!(verify(Purpose::Inbox, &last, WEEK), over);
    assert_eq!(verify(Purpose::Inbox, &last, Week(u32::MAX)), Err(CredentialError::Token));
}

#[test]
fn a_token_is_good_for_its_purpose_and_service() {
    let purposes = [Purpose::Channel, Purpose::Inbox, Purpose::Contact];
    for issued in purposes {
        let token = spent(issued);
        for asked in purposes {
            assert_eq!(verify(asked, &token, WEEK).is_ok(), issued == asked);
        }
        let other = IssuingKey::from_seed(&[8; 32]);
        assert!(other.verify(issued, &token, WEEK).err() == Some(CredentialError::Token));
    }
}

#[test]
fn forged_tokens_are_refused() {
    let token = spent(Purpose::Channel);
    let forged = |change: fn(&mut Vec<u8>), nonce: bool| {
        let mut token = token.clone();
        let field = if nonce { &mut token.nonce } else { &mut token.authenticator };
        let mut bytes = field.to_vec();
        change(&mut bytes);
        *field = bytes.into();
        verify(Purpose::Channel, &token, WEEK)
    };
    let changes: [fn(&mut Vec<u8>); 6] = [
        |bytes| bytes[0] ^= 1,
        |bytes| *bytes.last_mut().unwrap() ^= 0x80,
        |bytes| bytes.fill(0),
        |bytes| bytes.push(0),
        |bytes| bytes.truncate(31),
        Vec::clear,
    ];
    for change in changes {
        assert_eq!(forged(change, true), Err(CredentialError::Token));
        assert_eq!(forged(change, false), Err(CredentialError::Token));
    }
    assert_eq!(forged(|_| (), true), Ok(()));
}

#[test]
fn keys_differ_by_purpose_week_and_seed() {
    let (key, other) = (issuing(), IssuingKey::generate(&mut rng(3)));
    let same = IssuingKey::from_seed(&key.seed());
    let public = |key: &IssuingKey, purpose, week| *key.public(purpose, Week(week)).as_bytes();
    let mut publics = vec![
        public(&key, Purpose::Channel, 1),
        public(&key, Purpose::Channel, 2),
        public(&key, Purpose::Inbox, 1),
        public(&key, Purpose::Contact, 1),
        public(&other, Purpose::Channel, 1),
    ];
    assert!(publics[0] == public(&same, Purpose::Channel, 1));
    publics.sort_unstable();
    publics.dedup();
    assert_eq!(publics.len(), 5);
    assert!(*other.seed() != [0; 32] && other.seed() != IssuingKey::generate(&mut rng(4)).seed());
}

/// Who is given a key of his own could be known again by his tokens.
#[test]
fn a_key_that_others_are_not_shown_is_noticed() {
    let wish = wish(Purpose::Inbox, 3);
    let public = issuing().public(Purpose::Inbox, WEEK);
    for key in [
        IssuingKey::from_seed(&[8; 32]).key(Purpose::Inbox, WEEK),
        issuing().key(Purpose::Channel, WEEK),
        issuing().key(Purpose::Inbox, Week(WEEK.0 + 1)),
    ] {
        let issued = key.issue(&wish.blinded(), &mut rng(2)).unwrap();
        assert!(wish.finish(&public, &issued.evaluated, &issued.proof).err() == Some(CredentialError::Proof));
        assert!(wish.finish(&key.public(), &issued.evaluated, &issued.proof).is_ok());
    }
}

#[test]
fn the_first_of_a_wish_are_granted_alone() {
    let wish = wish(Purpose::Evaluation, 4);
    let key = issuing().key(Purpose::Evaluation, WEEK);
    for count in [1, 3, 4] {
        let issued = key.issue(&wish.blinded()[..count], &mut rng(2)).unwrap();
        let tokens = wish.first(count).unwrap().finish(&key.public(), &issued.evaluated, &issued.proof).unwrap();
        assert_eq!(tokens.len(), count);
        assert!(tokens.iter().all(|token| verify(Purpose::Evaluation, &token.into(), WEEK).is_ok()));
    }
    for count in [0, 5, usize::MAX] {
        assert!(wish.first(count).err() == Some(CredentialError::Batch), "{count}");
    }
}

#[test]
fn bad_answers_are_refused_and_leave_the_wish_as_it_was() {
    let wish = wish(Purpose::Contact, 3);
    let good = issue(&wish);
    let refused = |change: &dyn Fn(&mut Issued)| {
        let mut issued = Issued { evaluated: good.evaluated.clone(), proof: good.proof };
        change(&mut issued);
        finish(&wish, &issued).err()
    };
    assert_eq!(refused(&|issued| issued.evaluated.swap(0, 1)), Some(CredentialError::Proof));
    assert_eq!(refused(&|issued| issued.evaluated[0] = wish.blinded()[0]), Some(CredentialError::Proof));
    assert_eq!(refused(&|issued| issued.evaluated[2] = [0; 32]), Some(CredentialError::Element));
    assert_eq!(refused(&|issued| issued.evaluated[2] = [0xff; 32]), Some(CredentialError::Element));
    assert_eq!(refused(&|issued| issued.evaluated.push(issued.evaluated[0])), Some(CredentialError::Batch));
    assert_eq!(refused(&|issued| issued.proof[0] ^= 1), Some(CredentialError::Proof));
    assert_eq!(refused(&|issued| issued.proof[40] ^= 1), Some(CredentialError::Proof));
    assert_eq!(refused(&|issued| issued.proof = [0xff; 64]), Some(CredentialError::Proof));
    let public = issuing().public(Purpose::Contact, WEEK);
    assert!(wish.finish(&public, &good.evaluated, &good.proof[..63]).err() == Some(CredentialError::Proof));
    assert!(finish(&wish, &good).is_ok());
}

#[test]
fn what_is_no_element_is_not_evaluated() {
    let key = issuing().key(Purpose::Inbox, WEEK);
    let good = wish(Purpose::Inbox, 1).blinded()[0];
    for refused in [vec![0; 32], vec![0xff; 32], good[..31].to_vec(), [&good[..], &[0]].concat(), Vec::new()] {
        let answer = key.issue(&[good.to_vec(), refused], &mut rng(1));
        assert!(answer.err() == Some(CredentialError::Element));
    }
}

#[test]
fn a_public_key_is_read_from_its_bytes() {
    let public = issuing().public(Purpose::Inbox, WEEK);
    assert!(TokenPublicKey::try_from(&public.as_bytes()[..]).is_ok_and(|again| again == public));
    for refused in [&[0; 32][..], &[0xff; 32], &public.as_bytes()[..31]] {
        assert!(TokenPublicKey::try_from(refused).err() == Some(CredentialError::Element));
    }
}

#[test]
fn a_wish_survives_a_kill() {
    let wish = wish(Purpose::Contact, 16);
    let issued = issue(&wish);
    let again = Wish::from_bytes(&wish.to_bytes()).unwrap();
    assert!(again.purpose() == Purpose::Contact && again.week() == WEEK && again.blinded() == wish.blinded());
    let tokens = [finish(&wish, &issued), finish(&again, &issued)].map(|tokens| tokens.unwrap());
    let [tokens, again] = tokens.map(|tokens| tokens.iter().map(objects::Token::from).collect::<Vec<_>>());
    assert!(tokens == again && tokens.len() == 16);
}

#[test]
fn wishes_share_no_nonce_and_no_element() {
    let rng = &mut rng(1);
    let mut elements: Vec<_> =
        (0..4).flat_map(|_| Wish::new(Purpose::Inbox, WEEK, 8, rng).unwrap().blinded()).collect();
    elements.sort_unstable();
    elements.dedup();
    assert_eq!(elements.len(), 32);
}

#[test]
fn bytes_that_are_no_wish_are_refused() {
    let good = wish(Purpose::Inbox, 2).to_bytes();
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.to_vec();
        change(&mut bytes);
        Wish::from_bytes(&bytes).err()
    };
    let malformed = Some(CredentialError::Malformed);
    assert_eq!(good.len(), 9 + 2 * 64);
    assert_eq!(refused(&|_| ()), None);
    assert_eq!(refused(&|bytes| bytes[0] = 0), malformed);
    assert_eq!(refused(&|bytes| bytes[0] = 2), Some(CredentialError::Newer));
    assert_eq!(refused(&|bytes| bytes[4] = 0), malformed);
    assert_eq!(refused(&|bytes| bytes[4] = 200), malformed);
    assert_eq!(refused(&|bytes| bytes.push(0)), malformed);
    assert_eq!(refused(&|bytes| bytes.truncate(9 + 64 + 63)), malformed);
    assert_eq!(refused(&|bytes| bytes.truncate(9 + 64)), None);
    assert_eq!(refused(&|bytes| bytes.truncate(9)), Some(CredentialError::Batch));
    assert_eq!(refused(&|bytes| bytes.truncate(8)), malformed);
    assert_eq!(refused(&|bytes| bytes.truncate(3)), malformed);
    assert_eq!(refused(&|bytes| bytes.truncate(0)), malformed);
    // A blind that is zero, and one that is not reduced.
    assert_eq!(refused(&|bytes| bytes[9 + 32..9 + 64].fill(0)), malformed);
    assert_eq!(refused(&|bytes| bytes[9 + 32..9 + 64].fill(0xff)), malformed);
}

#[test]
fn a_token_is_stored_as_it_is_sent() {
    let sent = spent(Purpose::Inbox);
    let token = Token::try_from(&sent).unwrap();
    assert!(token.week() == WEEK && objects::Token::from(&token) == sent);
    for (nonce, authenticator) in [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)] {
        let (nonce, authenticator) = (vec![1; nonce].into(), vec![1; authenticator].into());
        let refused = Token::try_from(&objects::Token { nonce, authenticator, ..sent });
        assert!(refused.err() == Some(CredentialError::Malformed));
    }
}

/// `tests/vectors/tokens.txt`: what is derived, sent, kept and spent, byte for byte.
#[test]
fn known_answers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tokens.txt");
    let wish = wish(Purpose::Contact, 2);
    let issued = issue(&wish);
    let tokens = finish(&wish, &issued).unwrap();
    let answers = [
        ("seed", issuing().seed().to_vec()),
        ("public", issuing().public(Purpose::Contact, WEEK).as_bytes().to_vec()),
        ("wish", wish.to_bytes().to_vec()),
        ("blinded", wish.blinded().concat()),
        ("evaluated", issued.evaluated.concat()),
        ("proof", issued.proof.to_vec()),
        ("nonces", tokens.iter().flat_map(|token| objects::Token::from(token).nonce).collect()),
        ("authenticators", tokens.iter().flat_map(|token| objects::Token::from(token).authenticator).collect()),
    ];
    if std::env::var_os("UNDERTONE_FREEZE").is_some() {
        let about = "# Tokens for CONTACT of week 2968: `wish` gives `blinded`, which `seed` evaluates, and the answer gives the \
                     tokens.\n# Each field that belongs to a batch holds that of both tokens, one after the other.\n";
        let lines = answers.iter().map(|(name, value)| format!("{name} = {}\n", HEXLOWER.encode(value)));
        std::fs::write(&path, about.to_owned() + &lines.collect::<String>()).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    let frozen: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once(" = ")).collect();
    assert_eq!(frozen.len(), answers.len());
    for (name, answer) in &answers {
        assert_eq!(frozen[name], HEXLOWER.encode(answer), "{name}");
    }
    // The wish of an earlier release takes its tokens out of the answer still.
    let bytes = |name| HEXLOWER.decode(frozen[name].as_bytes()).unwrap();
    let kept = Wish::from_bytes(&bytes("wish")).unwrap();
    let public = TokenPublicKey::try_from(&bytes("public")[..]).unwrap();
    let evaluated: Vec<_> = bytes("evaluated").chunks(32).map(<[u8]>::to_vec).collect();
    for token in kept.finish(&public, &evaluated, &bytes("proof")).unwrap() {
        assert_eq!(verify(Purpose::Contact, &(&token).into(), WEEK), Ok(()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_a_wish_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(wish) = Wish::from_bytes(&bytes) {
            prop_assert!(wish.to_bytes()[..] == bytes[..]);
        }
    }

    #[test]
    fn any_bytes_are_refused_as_a_token(
        week in any::<u32>(),
        nonce in proptest::collection::vec(any::<u8>(), 32),
        authenticator in proptest::collection::vec(any::<u8>(), 64),
    ) {
        let token = objects::Token { week, nonce: nonce.into(), authenticator: authenticator.into() };
        prop_assert!(verify(Purpose::Inbox, &token, Week(week)) == Err(CredentialError::Token));
    }
}
